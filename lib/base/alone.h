/* Finds, in builds with assertions, who breaks the rule of [loop] functions: a thread that calls one while
 * another is inside the same loop, above all in its callbacks. Without assertions there is nothing of it.
 *
 * Memory order is relaxed: with any other the check itself would order what two threads do, and hide from
 * ThreadSanitizer that their host does not. */
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
    unsigned depth;            /* of calls within callbacks; the holder's */
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

/* Until the end of the block this thread is inside. */
#define WSF_ALONE(object, function)                                                                \
    wsf_alone *alone_                                                                              \
        __attribute__((cleanup(wsf_alone_leave))) = wsf_alone_enter(&(object)->alone);             \
    assert(alone_ != NULL && function " is [loop], and another thread is inside this loop")

#endif
#endif
