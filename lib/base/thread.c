#include "base/thread.h"

#include <wsfan/wsfan.h>

void wsf_thread_block_signals(sigset_t *before) {
    sigset_t all;
    sigfillset(&all);
    pthread_sigmask(SIG_BLOCK, &all, before);
}

void wsf_thread_restore_signals(const sigset_t *before) {
    pthread_sigmask(SIG_SETMASK, before, NULL);
}

int wsf_thread_start(pthread_t *thread, void *(*run)(void *user), void *user) {
    sigset_t before;
    wsf_thread_block_signals(&before);
    int result = pthread_create(thread, NULL, run, user);
    wsf_thread_restore_signals(&before);
    return result == 0 ? WSFAN_OK : WSFAN_ESYSTEM;
}
