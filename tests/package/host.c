/* A host as small as one can be: opens a node with and without a mesh, broadcasts to itself,
 * closes, and checks that the process is as it was before. */
#include <dirent.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <wsfan/wsfan.h>

extern char **environ;

static int messages;
static int joined;

static void on_message(void *user, wsfan_message *message, const wsfan_recipient *recipients,
                       size_t count) {
    (void)user;
    (void)recipients;
    if (count == 1 && wsfan_message_payload(message).size == 5)
        messages++;
}

static void on_joined(void *user, const wsfan_joined *info) {
    (void)user;
    (void)info;
    joined++;
}

static void check(int error) {
    if (error != WSFAN_OK) {
        fprintf(stderr, "%s\n", wsfan_error_text(error));
        exit(1);
    }
}

static void wait_for(wsfan_loop *loop, const int *counter) {
    while (*counter == 0) {
        struct pollfd item = { .fd = wsfan_loop_fd(loop), .events = POLLIN };
        if (poll(&item, 1, 10000) != 1) {
            fprintf(stderr, "nothing came\n");
            exit(1);
        }
        wsfan_loop_dispatch(loop, 0);
    }
}

static void run(const char *endpoint) {
    wsfan_options options;
    wsfan_callbacks callbacks = { .struct_size = sizeof callbacks,
                                  .on_message = on_message,
                                  .on_joined = on_joined };
    wsfan_node *node;
    wsfan_loop *loop;
    wsfan_session session;
    messages = joined = 0;
    wsfan_options_init(&options);
    options.endpoint = endpoint;
    check(wsfan_node_open(&node, &options));
    check(wsfan_loop_open(&loop, node, &callbacks, NULL));
    check(wsfan_session_open(&session, loop, wsfan_string("user"), NULL));
    check(wsfan_session_join(loop, session, wsfan_string("chat")));
    wait_for(loop, &joined);
    check(wsfan_broadcast(node, wsfan_string("chat"), wsfan_string("hello"), NULL));
    wait_for(loop, &messages);
    check(wsfan_loop_close(loop));
    check(wsfan_node_close(node));
}

/* What a library might change behind its host's back. */
typedef struct {
    void (*handlers[32])(int);
    int flags[32];
    int blocked[32];
    char **environment;
    int threads;
    int descriptors;
} process_state;

static int count_entries(const char *path) {
    int count = 0;
    DIR *dir = opendir(path);
    while (readdir(dir) != NULL)
        count++;
    closedir(dir);
    return count;
}

static process_state look(void) {
    process_state state;
    sigset_t mask;
    memset(&state, 0, sizeof state);
    pthread_sigmask(SIG_SETMASK, NULL, &mask);
    for (int signal = 1; signal < 32; signal++) {
        struct sigaction action;
        sigaction(signal, NULL, &action);
        state.handlers[signal] = action.sa_handler;
        state.flags[signal] = action.sa_flags;
        state.blocked[signal] = sigismember(&mask, signal);
    }
    state.environment = environ;
    state.threads = count_entries("/proc/self/task");
    state.descriptors = count_entries("/proc/self/fd");
    return state;
}

static void on_signal(int signal) {
    (void)signal;
}

int main(void) {
    signal(SIGINT, on_signal);
    signal(SIGTERM, SIG_IGN);
    process_state before = look();
    run(NULL);
    run("tcp://127.0.0.1:*");
    process_state after = look();
    if (memcmp(&before, &after, sizeof before) != 0) {
        fprintf(stderr, "signals %d, environment %d, threads %d -> %d, descriptors %d -> %d\n",
                memcmp(&before, &after, offsetof(process_state, environment)),
                before.environment != after.environment, before.threads, after.threads,
                before.descriptors, after.descriptors);
        return 1;
    }
    return 0;
}
