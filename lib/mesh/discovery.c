/* Answers for when a name is resolved and which answers count: an answer with an address replaces the
 * addresses of its name. Any other (no such name, no address, an error, a time-out) leaves them as they are.
 * The mesh is told the addresses of all names of a source together. The only file that knows the resolver,
 * c-ares.
 *
 * c-ares never blocks, so closing does not wait for a name server. Facts to know of c-ares:
 * - ares_library_init() does nothing on Linux but count, without a lock: it is not called.
 * - A channel reads resolv.conf and the environment when it is made: once on the thread of the host that
 *   names the first name, and again only when resolv.conf has changed.
 * - Without ARES_AI_NOSORT it opens a socket for each address to find out which is nearest. */
#include "mesh/discovery.h"

#include <ares.h>
#include <arpa/inet.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/memory.h"
#include "base/thread.h"

enum {
    ADDRESSES_MAX = WSFAN_ENDPOINTS_MAX, /* of one name, and of all names of a source */
    ENDPOINT_SIZE = WSF_NAME_ADDRESS_SIZE,
    SOCKETS_MAX = 64,
    FIRST_RETRY_MS = 250,
    SERVER_TIMEOUT_MS = 2000, /* at the first try; c-ares doubles it */
    SERVER_TRIES = 2
};

static const char RESOLV_CONF[] = "/etc/resolv.conf";

typedef char address[ENDPOINT_SIZE];

/* One name of one source. */
typedef struct wsf_question {
    wsf_question *next;
    wsf_discovery *discovery;
    char endpoint[WSF_ENDPOINT_SIZE_MAX + 1]; /* as the host wrote it */
    char host[WSF_ENDPOINT_SIZE_MAX + 1];
    unsigned port;
    unsigned source;
    wsfan_endpoint_state state;
    uint64_t questions; /* that were asked */
    bool asked;         /* c-ares has the question, and will call on_answer() */
    bool gone;          /* no longer named by its source; freed by on_answer() */
    uint32_t retry_ms;
    uint64_t due_ms;
    uint64_t surplus;   /* addresses over the limit */
    address *addresses; /* of the last answer that had any, sorted; NULL: none yet */
    size_t addresses_count;
} question;

struct wsf_discovery {
    wsf_mesh *mesh;
    pthread_t thread;
    int wake_fd;
    atomic_bool stop;
    pthread_mutex_t lock; /* of the questions and what is stale; never held when c-ares is called */
    question *questions;
    uint32_t stale;    /* bits of sources whose addresses the mesh is to be told */
    bool states_stale; /* the mesh is to be told the states of all names */
    uint64_t surplus_of[WSF_SOURCE_DNS];
    uint32_t interval_ms;
    unsigned seed;
    ares_channel channel;    /* NULL: could not be made yet */
    struct stat resolv_conf; /* as the channel has read it */
    struct pollfd sockets[SOCKETS_MAX + 1];
    nfds_t sockets_count;
    atomic_uint_fast64_t answers;
    atomic_uint_fast64_t failures;
    atomic_uint_fast64_t surplus;
};

/* Spread by a tenth: nodes that start together shall not go on asking together. */
static uint64_t jittered(wsf_discovery *d, uint32_t ms) {
    return ms - ms / 10 + (uint64_t)rand_r(&d->seed) % (ms / 5 + 1);
}

/* ---------------------------------------------------------------------------------- the channel */

static void on_socket(void *user, ares_socket_t fd, int readable, int writable) {
    wsf_discovery *d = user;
    nfds_t i = 0;
    while (i < d->sockets_count && d->sockets[i].fd != fd)
        i++;
    if (!readable && !writable) {
        if (i < d->sockets_count)
            d->sockets[i] = d->sockets[--d->sockets_count];
        return;
    }
    if (i == SOCKETS_MAX)
        return; /* not watched: its question ends with a time-out */
    if (i == d->sockets_count)
        d->sockets_count++;
    d->sockets[i] = (struct pollfd){
        .fd = fd,
        .events = (short)((readable ? POLLIN : 0) | (writable ? POLLOUT : 0)),
    };
}

static struct stat resolv_conf_now(void) {
    struct stat now = { 0 };
    if (stat(RESOLV_CONF, &now) != 0)
        now = (struct stat){ 0 };
    return now;
}

static bool same_file(const struct stat *a, const struct stat *b) {
    return a->st_dev == b->st_dev && a->st_ino == b->st_ino && a->st_size == b->st_size &&
           a->st_mtim.tv_sec == b->st_mtim.tv_sec && a->st_mtim.tv_nsec == b->st_mtim.tv_nsec;
}

/* Makes a channel that reads resolv.conf as it is now. */
static int open_channel(wsf_discovery *d) {
    static char lookups[] = "fb"; /* the hosts file, then DNS */
    struct ares_options options = {
        .flags = ARES_FLAG_NOALIASES,
        .timeout = SERVER_TIMEOUT_MS,
        .tries = SERVER_TRIES,
        .lookups = lookups,
        .sock_state_cb = on_socket,
        .sock_state_cb_data = d,
    };
    int set = ARES_OPT_FLAGS | ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES | ARES_OPT_LOOKUPS |
              ARES_OPT_SOCK_STATE_CB | ARES_OPT_NOROTATE;
#ifdef ARES_OPT_QUERY_CACHE
    set |= ARES_OPT_QUERY_CACHE; /* of no entries: each question goes to a server */
#endif
    if (d->channel != NULL)
        ares_destroy(d->channel);
    d->channel = NULL;
    d->resolv_conf = resolv_conf_now();
    ares_channel channel;
    int status = ares_init_options(&channel, &options, set);
    if (status == ARES_SUCCESS)
        d->channel = channel;
    return status == ARES_ENOMEM ? WSFAN_ENOMEM : WSFAN_OK; /* else ask() tries again */
}

/* ------------------------------------------------------------------------------------- answers */

static bool write_endpoint(address out, const struct sockaddr *from, unsigned port) {
    char host[INET6_ADDRSTRLEN];
    if (from->sa_family == AF_INET) {
        const struct sockaddr_in *ip = (const struct sockaddr_in *)(const void *)from;
        inet_ntop(AF_INET, &ip->sin_addr, host, sizeof host);
        snprintf(out, sizeof(address), "tcp://%s:%u", host, port);
    } else if (from->sa_family == AF_INET6) {
        const struct sockaddr_in6 *ip = (const struct sockaddr_in6 *)(const void *)from;
        inet_ntop(AF_INET6, &ip->sin6_addr, host, sizeof host);
        snprintf(out, sizeof(address), "tcp://[%s]:%u", host, port);
    } else {
        return false;
    }
    return wsf_endpoint_to_tell(out, strlen(out)); /* DNS may say 0.0.0.0 */
}

static int compare(const void *a, const void *b) {
    return strcmp(a, b);
}

/* Sorts and removes duplicates; returns how many are left. Servers rotate their answers, and all nodes shall
 * keep the same of too many. */
static size_t sort_unique(address *all, size_t count) {
    size_t kept = 0;
    qsort(all, count, sizeof *all, compare);
    for (size_t i = 0; i < count; i++)
        if (i == 0 || strcmp(all[i], all[kept - 1]) != 0)
            memmove(all[kept++], all[i], sizeof *all);
    return kept;
}

/* The lock is held. False: there is no address, or no memory. */
static bool take_addresses(question *q, const struct ares_addrinfo_node *first) {
    size_t count = 0;
    for (const struct ares_addrinfo_node *i = first; i != NULL; i = i->ai_next)
        count++;
    address *all = count > 0 ? wsf_alloc_zero(count, sizeof *all) : NULL;
    if (all == NULL)
        return false;
    count = 0;
    for (const struct ares_addrinfo_node *i = first; i != NULL; i = i->ai_next)
        if (write_endpoint(all[count], i->ai_addr, q->port))
            count++;
    count = sort_unique(all, count);
    if (count == 0) {
        wsf_free(all);
        return false;
    }
    wsf_free(q->addresses);
    q->addresses = all;
    q->addresses_count = count < ADDRESSES_MAX ? count : ADDRESSES_MAX;
    q->surplus = count - q->addresses_count;
    return true;
}

/* Tells the mesh the addresses of all names of a source. The lock is held. False: no memory. */
static bool tell_mesh(wsf_discovery *d, unsigned source) {
    size_t count = 0;
    bool known = true;
    d->surplus_of[source] = 0;
    for (const question *q = d->questions; q != NULL; q = q->next)
        if (q->source == source && !q->gone) {
            count += q->addresses_count;
            d->surplus_of[source] += q->surplus;
            known = known && q->addresses != NULL;
        }
    address *all = wsf_alloc_zero(count + 1, sizeof *all);
    if (all == NULL)
        return false;
    count = 0;
    for (const question *q = d->questions; q != NULL; q = q->next)
        for (size_t i = 0; q->source == source && !q->gone && i < q->addresses_count; i++)
            memcpy(all[count++], q->addresses[i], sizeof *all);
    count = sort_unique(all, count);
    const char *kept[ADDRESSES_MAX];
    size_t kept_count = count < ADDRESSES_MAX ? count : ADDRESSES_MAX;
    for (size_t i = 0; i < kept_count; i++)
        kept[i] = all[i];
    d->surplus_of[source] += count - kept_count;
    bool told = wsf_mesh_name_endpoints(d->mesh, source + WSF_SOURCE_DNS, kept, kept_count) ==
                WSFAN_OK;
    if (told && known && source == WSF_SOURCE_OPTIONS)
        wsf_mesh_names_known(d->mesh);
    wsf_free(all);
    return told;
}

/* The lock is held. False: no memory. */
static bool tell_states(wsf_discovery *d) {
    wsf_name *names = NULL;
    wsf_name **end = &names;
    for (const question *q = d->questions; q != NULL; q = q->next) {
        if (q->gone)
            continue;
        size_t size = sizeof **end + q->addresses_count * sizeof *q->addresses;
        wsf_name *name = *end = wsf_alloc_zero(1, size);
        if (name == NULL) {
            wsf_names_free(names);
            return false;
        }
        memcpy(name->endpoint, q->endpoint, sizeof name->endpoint);
        name->source = q->source;
        name->state = q->state;
        name->questions = q->questions;
        name->addresses_count = (uint32_t)q->addresses_count;
        if (q->addresses_count > 0)
            memcpy(name->addresses, q->addresses, q->addresses_count * sizeof *q->addresses);
        end = &name->next;
    }
    wsf_mesh_set_names(d->mesh, names);
    return true;
}

/* Tells the mesh of all stale sources. The lock is held. False: no memory for some. */
static bool tell_stale(wsf_discovery *d) {
    uint64_t surplus = 0;
    for (unsigned i = 0; i < WSF_SOURCE_DNS; i++) {
        uint32_t bit = UINT32_C(1) << i;
        if ((d->stale & bit) != 0 && tell_mesh(d, i))
            d->stale &= ~bit;
        surplus += d->surplus_of[i];
    }
    atomic_store(&d->surplus, surplus);
    if (d->states_stale)
        d->states_stale = !tell_states(d);
    return d->stale == 0 && !d->states_stale;
}

static wsfan_endpoint_state state_of(const question *q, int status) {
    if (q->addresses != NULL)
        return WSFAN_ENDPOINT_RESOLVED; /* the last answer stands */
    return status == ARES_SUCCESS || status == ARES_ENOTFOUND || status == ARES_ENODATA
               ? WSFAN_ENDPOINT_NO_NAME
               : WSFAN_ENDPOINT_DNS_SILENT;
}

static void on_failure(question *q, int status) {
    wsf_discovery *d = q->discovery;
    atomic_fetch_add(&d->failures, 1);
    q->state = state_of(q, status);
    d->states_stale = true;
    uint32_t wait_ms = q->addresses != NULL ? d->interval_ms : q->retry_ms;
    q->due_ms = wsf_clock_ms() + jittered(d, wait_ms);
    q->retry_ms = q->retry_ms < d->interval_ms / 2 ? q->retry_ms * 2 : d->interval_ms;
}

static void free_question(question *q) {
    wsf_free(q->addresses);
    wsf_free(q);
}

static void on_answer(void *user, int status, int timeouts, struct ares_addrinfo *answer) {
    question *q = user;
    wsf_discovery *d = q->discovery;
    (void)timeouts;
    pthread_mutex_lock(&d->lock);
    q->asked = false;
    if (q->gone) {
        question **at = &d->questions;
        while (*at != q)
            at = &(*at)->next;
        *at = q->next;
        free_question(q);
    } else if (status == ARES_EDESTRUCTION || status == ARES_ECANCELLED) {
        q->due_ms = 0; /* asked again at once */
    } else if (status == ARES_SUCCESS && take_addresses(q, answer->nodes)) {
        q->due_ms = wsf_clock_ms() + jittered(d, d->interval_ms);
        q->state = WSFAN_ENDPOINT_RESOLVED;
        d->stale |= UINT32_C(1) << q->source;
        d->states_stale = true;
        atomic_fetch_add(&d->answers, 1);
    } else {
        on_failure(q, status);
    }
    pthread_mutex_unlock(&d->lock);
    if (answer != NULL)
        ares_freeaddrinfo(answer);
}

/* -------------------------------------------------------------------------------------- thread */

static void ask(wsf_discovery *d, question *q) {
    struct stat now = resolv_conf_now();
    if (d->channel == NULL || !same_file(&now, &d->resolv_conf))
        open_channel(d);
    if (d->channel == NULL) {
        on_answer(q, ARES_ENOTINITIALIZED, 0, NULL);
        return;
    }
    struct ares_addrinfo_hints hints = {
        .ai_flags = ARES_AI_NOSORT,
        .ai_family = AF_UNSPEC,
        .ai_socktype = SOCK_STREAM,
    };
    ares_getaddrinfo(d->channel, q->host, NULL, &hints, on_answer, q);
}

/* The lock is held. */
static question *first_due(wsf_discovery *d, uint64_t at_ms) {
    question *q = d->questions;
    while (q != NULL && (q->asked || q->due_ms > at_ms))
        q = q->next;
    return q;
}

/* c-ares cancels all questions or none: those that are not gone are asked again. */
static void cancel_gone(wsf_discovery *d) {
    pthread_mutex_lock(&d->lock);
    const question *q = d->questions;
    while (q != NULL && !q->gone)
        q = q->next;
    pthread_mutex_unlock(&d->lock);
    if (q != NULL && d->channel != NULL)
        ares_cancel(d->channel);
}

/* Asks what is due, and tells the mesh what was answered. Returns how long to wait for sockets, in ms. */
static int ask_due(wsf_discovery *d) {
    question *due;
    cancel_gone(d);
    pthread_mutex_lock(&d->lock);
    while (!atomic_load(&d->stop) && (due = first_due(d, wsf_clock_ms())) != NULL) {
        due->asked = true;
        due->questions++;
        pthread_mutex_unlock(&d->lock);
        ask(d, due);
        pthread_mutex_lock(&d->lock);
    }
    uint64_t at_ms = wsf_clock_ms();
    uint64_t wait_ms = tell_stale(d) ? 3600000 : FIRST_RETRY_MS;
    for (const question *q = d->questions; q != NULL; q = q->next) {
        uint64_t left_ms = q->due_ms > at_ms ? q->due_ms - at_ms : 0;
        if (!q->asked && left_ms < wait_ms)
            wait_ms = left_ms;
    }
    pthread_mutex_unlock(&d->lock);
    struct timeval until;
    if (d->channel != NULL && ares_timeout(d->channel, NULL, &until) != NULL) {
        uint64_t left_ms = (uint64_t)until.tv_sec * 1000 + (uint64_t)until.tv_usec / 1000 + 1;
        wait_ms = left_ms < wait_ms ? left_ms : wait_ms;
    }
    return (int)wait_ms;
}

static void *run(void *user) {
    wsf_discovery *d = user;
    while (!atomic_load(&d->stop)) {
        int timeout_ms = ask_due(d);
        /* A copy: c-ares opens and closes sockets while it handles them. */
        struct pollfd ready[SOCKETS_MAX + 1];
        nfds_t count = d->sockets_count;
        memcpy(ready, d->sockets, count * sizeof *ready);
        ready[count] = (struct pollfd){ .fd = d->wake_fd, .events = POLLIN };
        poll(ready, count + 1, timeout_ms);
        uint64_t woken;
        if (ready[count].revents != 0 && read(d->wake_fd, &woken, sizeof woken) < 0)
            continue;
        for (nfds_t i = 0; i < count && d->channel != NULL; i++) {
            bool out = (ready[i].revents & POLLOUT) != 0;
            bool in = (ready[i].revents & ~POLLOUT) != 0;
            if (in || out)
                ares_process_fd(d->channel, in ? ready[i].fd : ARES_SOCKET_BAD,
                                out ? ready[i].fd : ARES_SOCKET_BAD);
        }
        if (d->channel != NULL) /* handles time-outs */
            ares_process_fd(d->channel, ARES_SOCKET_BAD, ARES_SOCKET_BAD);
    }
    return NULL;
}

/* ------------------------------------------------------------------------------ open and close */

static void free_list(question *q) {
    while (q != NULL) {
        question *next = q->next;
        free_question(q);
        q = next;
    }
}

static void release(wsf_discovery *d) {
    if (d->channel != NULL)
        ares_destroy(d->channel); /* calls on_answer() for open questions */
    free_list(d->questions);
    if (d->wake_fd >= 0)
        close(d->wake_fd);
    pthread_mutex_destroy(&d->lock);
    wsf_free(d);
}

int wsf_discovery_open(wsf_discovery **out, wsf_mesh *mesh, uint32_t interval_ms, uint64_t seed) {
    wsf_discovery *d = wsf_alloc_zero(1, sizeof *d);
    if (d == NULL)
        return WSFAN_ENOMEM;
    if (pthread_mutex_init(&d->lock, NULL) != 0) {
        wsf_free(d);
        return WSFAN_ESYSTEM;
    }
    d->mesh = mesh;
    d->interval_ms = interval_ms;
    d->seed = (unsigned)seed;
    int error = WSFAN_ESYSTEM;
    d->wake_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    if (d->wake_fd >= 0 && (error = open_channel(d)) == WSFAN_OK)
        error = wsf_thread_start(&d->thread, run, d);
    if (error != WSFAN_OK) {
        release(d);
        return error;
    }
    *out = d;
    return WSFAN_OK;
}

static void wake(wsf_discovery *d) {
    ssize_t written = write(d->wake_fd, &(uint64_t){ 1 }, sizeof(uint64_t));
    (void)written; /* fails only when the thread is woken already */
}

void wsf_discovery_close(wsf_discovery *d) {
    if (d == NULL)
        return;
    atomic_store(&d->stop, true);
    wake(d);
    pthread_join(d->thread, NULL);
    release(d);
}

/* --------------------------------------------------------------------------------------- naming */

int wsf_questions_new(wsf_question **out, const char *const *names, size_t count) {
    *out = NULL;
    for (size_t i = 0; i < count; i++) {
        question *q = wsf_alloc_zero(1, sizeof *q);
        if (q == NULL) {
            free_list(*out);
            *out = NULL;
            return WSFAN_ENOMEM;
        }
        snprintf(q->endpoint, sizeof q->endpoint, "%s", names[i]);
        q->state = WSFAN_ENDPOINT_RESOLVING;
        wsf_endpoint_split(names[i], q->host, &q->port);
        q->next = *out;
        *out = q;
    }
    return WSFAN_OK;
}

void wsf_questions_free(wsf_question *questions) {
    free_list(questions);
}

/* Addresses known of a name stay known when its source names it again. */
static void inherit(question *from, question *list) {
    for (question *q = list; q != NULL; q = q->next) {
        if (q->addresses != NULL || q->port != from->port || strcmp(q->host, from->host) != 0)
            continue;
        q->addresses = from->addresses;
        q->addresses_count = from->addresses_count;
        q->surplus = from->surplus;
        q->due_ms = from->asked ? 0 : from->due_ms;
        q->state = from->state;
        q->questions = from->questions;
        from->addresses = NULL;
        from->addresses_count = 0;
        return;
    }
}

void wsf_discovery_ask(wsf_discovery *d, unsigned source, wsf_question *questions) {
    pthread_mutex_lock(&d->lock);
    question **at = &d->questions;
    while (*at != NULL) {
        question *q = *at;
        if (q->source != source || q->gone) {
            at = &q->next;
            continue;
        }
        inherit(q, questions);
        if (q->asked) {
            q->gone = true;
            at = &q->next;
        } else {
            *at = q->next;
            free_question(q);
        }
    }
    *at = questions;
    for (question *q = questions; q != NULL; q = q->next) {
        q->discovery = d;
        q->source = source;
        q->retry_ms = d->interval_ms < FIRST_RETRY_MS ? d->interval_ms : FIRST_RETRY_MS;
    }
    d->stale |= UINT32_C(1) << source;
    d->states_stale = true;
    pthread_mutex_unlock(&d->lock);
    wake(d);
}

void wsf_discovery_stats(wsf_discovery *d, wsfan_stats *stats) {
    if (d == NULL)
        return;
    stats->dns_answers = atomic_load(&d->answers);
    stats->dns_failures = atomic_load(&d->failures);
    stats->dns_surplus = atomic_load(&d->surplus);
}
