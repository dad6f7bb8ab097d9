/* Descriptors and threads that run out: errors, nothing that stays, and the process goes on. */
#include <dirent.h>
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>
#include <wsfan/wsfan.h>

#include "suite.h"

/* Linked with --wrap: the library's own threads, not those of libzmq. */
static int threads_left = -1; /* -1: any number */

int __real_pthread_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*run)(void *),
                          void *user);
int __wrap_pthread_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*run)(void *),
                          void *user);

int __wrap_pthread_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*run)(void *),
                          void *user) {
    if (threads_left == 0)
        return EAGAIN;
    threads_left -= threads_left > 0;
    return __real_pthread_create(thread, attributes, run, user);
}

static unsigned count_descriptors(void) {
    unsigned count = 0;
    DIR *directory = opendir("/proc/self/fd");
    while (readdir(directory) != NULL)
        count++;
    closedir(directory);
    return count;
}

/* Opens a node and loops as far as it goes. Returns whether all of it went. */
static bool live(void) {
    wsfan_options options;
    wsfan_callbacks callbacks = { .struct_size = sizeof callbacks };
    wsfan_node *node;
    wsfan_loop *loops[3] = { NULL };
    const char *peers[] = { "tcp://127.0.0.1:1", "dns://127.0.0.1:2" };
    wsfan_options_init(&options);
    options.endpoint = "tcp://127.0.0.1:*";
    options.peers = peers;
    options.peers_count = 2;
    options.close_ms_max = 0;
    int error = wsfan_node_open(&node, &options);
    ck_assert_msg(error == WSFAN_OK || error == WSFAN_ESYSTEM, "%s", wsfan_error_text(error));
    if (error != WSFAN_OK)
        return false;
    bool all = true;
    for (int i = 0; i < 3; i++) {
        error = wsfan_loop_open(&loops[i], node, &callbacks, NULL);
        ck_assert(error == WSFAN_OK || error == WSFAN_ESYSTEM);
        all = all && error == WSFAN_OK;
    }
    ck_assert_int_eq(wsfan_broadcast_all(node, wsfan_string("x"), NULL), WSFAN_OK);
    poll(NULL, 0, 5); /* the mesh thread dials, with what descriptors there are */
    for (int i = 0; i < 3; i++)
        ck_assert_int_eq(wsfan_loop_close(loops[i]), WSFAN_OK);
    ck_assert_int_eq(wsfan_node_close(node), WSFAN_OK);
    return all;
}

START_TEST(however_few_descriptors_are_left_the_process_lives) {
    struct rlimit limit;
    ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &limit), 0);
    ck_assert(live());
    unsigned before = count_descriptors();
    unsigned refused = 0;
    rlim_t was = limit.rlim_cur;
    for (unsigned more = 0; more < 48; more++) {
        limit.rlim_cur = before + more;
        ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
        refused += !live();
        limit.rlim_cur = was;
        ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
        ck_assert_uint_eq(count_descriptors(), before);
    }
    ck_assert_uint_ge(refused, 5);
    ck_assert_uint_lt(refused, 48);
    ck_assert(live());
}
END_TEST

START_TEST(any_thread_of_the_library_may_fail_to_start) {
    unsigned before = count_descriptors();
    unsigned refused = 0;
    int n = 0;
    do {
        threads_left = n;
        bool all = live();
        threads_left = -1;
        refused += !all;
        ck_assert_uint_eq(count_descriptors(), before);
        if (all)
            break;
    } while (++n < 20);
    ck_assert_int_lt(n, 20);
    ck_assert_uint_ge(refused, 3);
}
END_TEST

/* As another user, whose threads the kernel counts. */
static void live_with_threads(unsigned count) {
    struct rlimit limit = { count, count };
    if (setgid(54321) != 0 || setuid(54321) != 0 || setrlimit(RLIMIT_NPROC, &limit) != 0)
        _exit(3);
    alarm(60);
    _exit(live() ? 0 : 1);
}

START_TEST(however_few_threads_the_kernel_gives_the_process_lives) {
    if (getuid() != 0)
        return; /* for others the limit counts what else they run */
    unsigned refused = 0;
    for (unsigned count = 1; count < 12; count++) {
        int status;
        pid_t child = fork();
        ck_assert_int_ge(child, 0);
        if (child == 0)
            live_with_threads(count);
        ck_assert_int_eq(waitpid(child, &status, 0), child);
        ck_assert_msg(WIFEXITED(status) && WEXITSTATUS(status) <= 1, "%u threads: %x", count,
                      status);
        refused += WEXITSTATUS(status) == 1;
    }
    ck_assert_uint_ge(refused, 2);
    ck_assert_uint_lt(refused, 11);
}
END_TEST

SUITE_MAIN("resources", however_few_descriptors_are_left_the_process_lives,
           any_thread_of_the_library_may_fail_to_start,
           however_few_threads_the_kernel_gives_the_process_lives)
