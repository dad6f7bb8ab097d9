/* Threads of the library in a process that is the host's: no signal is delivered to them. */
#ifndef WSF_BASE_THREAD_H
#define WSF_BASE_THREAD_H

#include <pthread.h>
#include <signal.h>

/* For the calling thread, and for those that it starts meanwhile. */
void wsf_thread_block_signals(sigset_t *before);
void wsf_thread_restore_signals(const sigset_t *before);

/* WSFAN_OK, or WSFAN_ESYSTEM. */
int wsf_thread_start(pthread_t *thread, void *(*run)(void *user), void *user);

#endif
