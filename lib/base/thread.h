/* Threads of the library in the host's process. Only threads of the host get signals. */
#ifndef WSF_BASE_THREAD_H
#define WSF_BASE_THREAD_H

#include <pthread.h>
#include <signal.h>

/* For the calling thread and the threads that it starts meanwhile. */
void wsf_thread_block_signals(sigset_t *before);
void wsf_thread_restore_signals(const sigset_t *before);

/* WSFAN_OK, or WSFAN_ESYSTEM. */
int wsf_thread_start(pthread_t *thread, void *(*run)(void *user), void *user);

#endif
