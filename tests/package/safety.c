/* A host that loads the library, uses it, and unloads it:  safety LIBRARY
 * Nothing of it may stay: no memory, no descriptor, no thread, no handler that would run code that
 * is gone, no changed random numbers. And nothing grows with how often a node is opened. */
#include <dirent.h>
#include <dlfcn.h>
#include <malloc.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include <wsfan/stats.h>
#include <wsfan/wsfan.h>

enum { LOCAL_COUNT = 10000, SOCKETS_COUNT = 300, WARM_COUNT = 20, GROWTH_MAX = 64 * 1024 };

#define CHECK(condition)                                                                           \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #condition);                        \
            exit(1);                                                                               \
        }                                                                                          \
    } while (0)

typedef struct {
    void (*options_init)(wsfan_options *options, size_t struct_size);
    int (*node_open)(wsfan_node **node, const wsfan_options *options);
    int (*node_close)(wsfan_node *node);
    int (*node_stats)(wsfan_node *node, wsfan_stats *stats);
    int (*loop_open)(wsfan_loop **loop, wsfan_node *node, const wsfan_callbacks *callbacks,
                     void *user);
    int (*loop_close)(wsfan_loop *loop);
    int (*broadcast_all)(wsfan_node *node, wsfan_bytes payload,
                         const wsfan_publish_options *options);
} library;

static void *symbol(void *handle, const char *name) {
    void *found = dlsym(handle, name);
    CHECK(found != NULL);
    return found;
}

static library load(void *handle) {
    library l;
    *(void **)&l.options_init = symbol(handle, "wsfan_options_init_sized");
    *(void **)&l.node_open = symbol(handle, "wsfan_node_open");
    *(void **)&l.node_close = symbol(handle, "wsfan_node_close");
    *(void **)&l.node_stats = symbol(handle, "wsfan_node_get_stats");
    *(void **)&l.loop_open = symbol(handle, "wsfan_loop_open");
    *(void **)&l.loop_close = symbol(handle, "wsfan_loop_close");
    *(void **)&l.broadcast_all = symbol(handle, "wsfan_broadcast_all");
    return l;
}

static int count_entries(const char *path) {
    int count = 0;
    DIR *directory = opendir(path);
    CHECK(directory != NULL);
    while (readdir(directory) != NULL)
        count++;
    closedir(directory);
    return count;
}

static void use(const library *l, const char *endpoint) {
    wsfan_options options;
    wsfan_callbacks callbacks = { .struct_size = sizeof callbacks };
    wsfan_node *node;
    wsfan_loop *loop;
    l->options_init(&options, sizeof options);
    options.endpoint = endpoint;
    options.close_ms_max = 0;
    CHECK(l->node_open(&node, &options) == WSFAN_OK);
    CHECK(l->loop_open(&loop, node, &callbacks, NULL) == WSFAN_OK);
    CHECK(l->broadcast_all(node, wsfan_string("hello"), NULL) == WSFAN_OK);
    CHECK(l->loop_close(loop) == WSFAN_OK);
    CHECK(l->node_close(node) == WSFAN_OK);
}

/* Once warm, so many nodes after another leave memory and descriptors as they were. */
static void use_often(const library *l, const char *endpoint, int count) {
    for (int i = 0; i < WARM_COUNT; i++)
        use(l, endpoint);
    size_t before = mallinfo2().uordblks;
    int descriptors = count_entries("/proc/self/fd");
    for (int i = 0; i < count; i++)
        use(l, endpoint);
    size_t after = mallinfo2().uordblks;
    if (after > before + GROWTH_MAX)
        fprintf(stderr, "%s: %zu -> %zu bytes\n", endpoint != NULL ? endpoint : "local", before,
                after);
    CHECK(after <= before + GROWTH_MAX);
    CHECK(count_entries("/proc/self/fd") == descriptors);
    CHECK(count_entries("/proc/self/task") == 3); /* ".", "..", ours */
}

/* The child of a fork gets errors, and ends; nothing in it hangs. */
static void fork_with(const library *l) {
    wsfan_options options;
    wsfan_node *node;
    int status;
    l->options_init(&options, sizeof options);
    options.endpoint = "tcp://127.0.0.1:*";
    CHECK(l->node_open(&node, &options) == WSFAN_OK);
    pid_t child = fork();
    CHECK(child >= 0);
    if (child == 0) {
        wsfan_stats stats = { .struct_size = sizeof stats };
        alarm(20);
        CHECK(l->node_stats(node, &stats) == WSFAN_EFORK);
        CHECK(l->broadcast_all(node, wsfan_string("x"), NULL) == WSFAN_EFORK);
        CHECK(l->node_close(node) == WSFAN_EFORK);
        use(l, "tcp://127.0.0.1:*"); /* but it may open one of its own */
        exit(0);
    }
    CHECK(waitpid(child, &status, 0) == child && WIFEXITED(status) && WEXITSTATUS(status) == 0);
    CHECK(l->node_close(node) == WSFAN_OK);
}

static bool mapped(const char *path) {
    char line[4096];
    bool found = false;
    const char *name = strrchr(path, '/') + 1;
    FILE *maps = fopen("/proc/self/maps", "r");
    CHECK(maps != NULL);
    while (fgets(line, sizeof line, maps) != NULL)
        found = found || strstr(line, name) != NULL;
    fclose(maps);
    return found;
}

int main(int argc, char **argv) {
    CHECK(argc == 2);
    srandom(7);
    long numbers[4];
    for (int i = 0; i < 4; i++)
        numbers[i] = random();
    srandom(7);
    for (int i = 0; i < 4; i++) { /* loaded, used and unloaded, again and again */
        CHECK(!mapped(argv[1]));
        void *handle = dlopen(argv[1], RTLD_NOW | RTLD_LOCAL);
        CHECK(handle != NULL);
        CHECK(mapped(argv[1]));
        library l = load(handle);
        use(&l, "tcp://127.0.0.1:*");
        CHECK(random() == numbers[i]);
        if (i == 0) {
            use_often(&l, NULL, LOCAL_COUNT);
            use_often(&l, "tcp://127.0.0.1:*", SOCKETS_COUNT);
            fork_with(&l);
        }
        CHECK(dlclose(handle) == 0);
    }
    CHECK(!mapped(argv[1]));
    return 0; /* an atexit handler of it would crash here */
}
