/* In builds with assertions, aborts when a thread calls a [loop] function while another thread is inside the
 * same loop, for example in one of its callbacks. The first bytes of a loop are `alone`, which malloc() writes
 * over when the loop is closed, so most calls with a closed loop abort too. With NDEBUG the macros are empty.
 *
 * Memory order is relaxed: a stronger order would synchronize the two threads, and so hide their race from
 * ThreadSanitizer. */
#ifndef WSF_BASE_ALONE_H
#define WSF_BASE_ALONE_H

#ifdef NDEBUG

#define WSF_ALONE_FIELD
#define WSF_ALONE(object, function) ((void)0)

#else

#include <assert.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stddef.h>

typedef struct {
    _Atomic(pthread_t) holder; /* the thread that is inside, or 0 */
    unsigned depth;            /* nested calls of the holder, made in callbacks */
} wsf_alone;

/* NULL: another thread is inside. */
static inline wsf_alone *wsf_alone_enter(wsf_alone *alone) {
    pthread_t self = pthread_self();
    pthread_t nobody = (pthread_t)0;
    if (atomic_load_explicit(&alone->holder, memory_order_relaxed) != self &&
        !atomic_compare_exchange_strong_explicit(&alone->holder, &nobody, self,
                                                 memory_order_relaxed, memory_order_relaxed))
        return NULL;
    alone->depth++;
    return alone;
}

static inline void wsf_alone_leave(wsf_alone **alone) {
    if (--(*alone)->depth == 0)
        atomic_store_explicit(&(*alone)->holder, (pthread_t)0, memory_order_relaxed);
}

#define WSF_ALONE_FIELD wsf_alone alone;

/* Marks the object as entered by this thread until the end of the block. */
#define WSF_ALONE(object, function)                                                                \
    wsf_alone *alone_                                                                              \
        __attribute__((cleanup(wsf_alone_leave))) = wsf_alone_enter(&(object)->alone);             \
    assert(alone_ != NULL && function " is [loop]: another thread is in it, or it is closed")

#endif
#endif
