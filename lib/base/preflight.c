/* wsf_preflight_check() takes all descriptors and threads at the same time, and releases them. Another thread
 * of the host may take them before ZeroMQ does: an end of the process becomes unlikely, not impossible. */
#include "base/preflight.h"

#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <unistd.h>
#include <wsfan/wsfan.h>

enum { DESCRIPTORS_MAX = 32, THREADS_MAX = 4 };

static int check_descriptors(unsigned count) {
    int fds[DESCRIPTORS_MAX];
    unsigned got = 0;
    while (got < count && (fds[got] = eventfd(0, EFD_CLOEXEC)) >= 0)
        got++;
    int reason = errno;
    for (unsigned i = 0; i < got; i++)
        close(fds[i]);
    errno = reason;
    return got == count ? WSFAN_OK : WSFAN_ESYSTEM;
}

static void *wait_for_end(void *lock) {
    pthread_mutex_lock(lock);
    pthread_mutex_unlock(lock);
    return NULL;
}

static int check_threads(unsigned count) {
    pthread_t threads[THREADS_MAX];
    pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
    unsigned got = 0;
    int reason = 0;
    pthread_mutex_lock(&lock);
    while (got < count && reason == 0) {
        reason = pthread_create(&threads[got], NULL, wait_for_end, &lock);
        got += reason == 0;
    }
    pthread_mutex_unlock(&lock);
    for (unsigned i = 0; i < got; i++)
        pthread_join(threads[i], NULL);
    errno = reason;
    return got == count ? WSFAN_OK : WSFAN_ESYSTEM;
}

int wsf_preflight_check(unsigned descriptors, unsigned threads) {
    assert(descriptors <= DESCRIPTORS_MAX && threads <= THREADS_MAX);
    int error = check_descriptors(descriptors);
    return error == WSFAN_OK ? check_threads(threads) : error;
}

bool wsf_preflight_has(unsigned descriptors) {
    struct rlimit limit;
    return getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur >= descriptors;
}

unsigned wsf_preflight_share(unsigned part, unsigned max) {
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur / part >= max)
        return max;
    return limit.rlim_cur >= part ? (unsigned)(limit.rlim_cur / part) : 1;
}
