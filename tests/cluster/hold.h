/* Stopping the mesh thread of a process alone. */
#ifndef HOLD_H
#define HOLD_H

#include <sys/types.h>

/* Says what did not hold, and ends. */
void check(int good, const char *what);
void sleep_ms(unsigned ms);

/* The thread that is neither the host's nor one of ZeroMQ's; 0: it has not begun yet. */
pid_t mesh_thread(pid_t pid);

/* By ptrace; the thread is the child's. */
void hold(pid_t thread);
void let_go(pid_t thread);

#endif
