/* Answers for the calls of other threads to the mesh: commands that are left in the mailbox, work that the
 * caller does in place of the mesh thread, and what is read under the lock of the mesh. */
#include "mesh/mesh.h"

#include <assert.h>
#include <poll.h>
#include <string.h>

#include "base/memory.h"
#include "base/thread.h"
#include "mesh/state.h"

enum { REST_NS = 100 * 1000 }; /* after so long without work a publisher sends by itself */

/* Every callback of the host but `each` of wsfan_chat_members() is called without the lock, so only a call in
 * `each` finds the lock with its own thread. With assertions the lock says so, see init_lock(). */
static void lock(wsf_mesh *mesh) {
    int error = pthread_mutex_lock(&mesh->lock);
    assert(error == 0 && "`each` of wsfan_chat_members() must not call the library");
    (void)error;
}

static bool has_rested(wsf_mesh *mesh, uint64_t now_ns) {
    return now_ns - atomic_load_explicit(&mesh->worked_ns, memory_order_relaxed) >= REST_NS;
}

static void free_reply(wsf_mesh_reply *reply) {
    wsf_free(reply->payload);
    wsf_free(reply);
}

/* A mesh without a carrier begins without a thread: each caller carries out what it posts, under the lock,
 * which keeps the order. finish_here() starts the thread when the core has a deadline; from then on the
 * thread does all work. True: the caller does the work, and has the lock until finish_here(). */
static bool begin_here(wsf_mesh *mesh) {
    if (mesh->out.carrier != NULL)
        return false;
    lock(mesh);
    if (!mesh->threaded)
        return true;
    pthread_mutex_unlock(&mesh->lock);
    return false;
}

static void flush(wsf_mesh *mesh) {
    wsf_core_flush(mesh->out.core, wsf_mesh_now());
    wsf_mesh_effects_flush(&mesh->out);
}

static void finish_here(wsf_mesh *mesh) {
    while (wsf_mesh_handle_commands(mesh))
        continue;
    flush(mesh);
    if (wsf_core_deadline(mesh->out.core) != UINT64_MAX && !mesh->closing)
        wsf_mesh_start(mesh); /* without a thread the next call does what is due, perhaps late */
    pthread_mutex_unlock(&mesh->lock);
}

void wsf_mesh_post(wsf_mesh *mesh, wsf_item *item) {
    bool here = begin_here(mesh);
    bool wake;
    int error = here ? wsf_queue_push(&mesh->mailbox.queue, item, &wake)
                     : wsf_mailbox_post(&mesh->mailbox, item);
    assert(error == WSFAN_OK);
    (void)error;
    if (here)
        finish_here(mesh);
}

/* State of a host's thread from before it did work of the mesh thread: meanwhile, as there, signals are blocked
 * and the thread cannot be cancelled. */
typedef struct {
    sigset_t signals;
    int cancel;
} stand_in;

/* The caller never waits for the lock. False: another thread has it, and nothing has changed. */
static bool begin_stand_in(wsf_mesh *mesh, stand_in *before) {
    wsf_thread_block_signals(&before->signals);
    pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &before->cancel);
    if (pthread_mutex_trylock(&mesh->lock) == 0)
        return true;
    pthread_setcancelstate(before->cancel, NULL);
    wsf_thread_restore_signals(&before->signals);
    return false;
}

/* wake: more is left to do for the mesh thread, as there is when something is due before the thread wakes. */
static void end_stand_in(wsf_mesh *mesh, const stand_in *before, bool wake) {
    wake = wake || wsf_mesh_can_handle(mesh) || mesh->closing ||
           wsf_core_deadline(mesh->out.core) < mesh->wake_ms;
    pthread_mutex_unlock(&mesh->lock);
    if (wake)
        wsf_mailbox_wake(&mesh->mailbox);
    pthread_setcancelstate(before->cancel, NULL);
    wsf_thread_restore_signals(&before->signals);
}

/* Sends on the publishing thread while the mesh thread sleeps, which saves waking it. When more is left to
 * do, the mesh thread is woken, so that what is published meanwhile leaves together. */
static void send_here(wsf_mesh *mesh) {
    stand_in before;
    if (!begin_stand_in(mesh, &before)) {
        wsf_mailbox_wake(&mesh->mailbox);
        return;
    }
    bool more = wsf_mesh_handle_commands(mesh);
    flush(mesh);
    wsf_mesh_note_work(mesh);
    end_stand_in(mesh, &before,
                 more || wsf_mesh_effects_carrier_deadline(&mesh->out) < mesh->wake_ms);
}

bool wsf_mesh_has_reader(wsf_mesh *mesh, unsigned loop) {
    return atomic_load_explicit(&mesh->out.reader, memory_order_relaxed) == loop;
}

static bool has_come(wsf_mesh *mesh) {
    struct pollfd sockets = { .fd = wsf_mesh_effects_fd(&mesh->out), .events = POLLIN };
    return atomic_load(&mesh->unread) || poll(&sockets, 1, 0) > 0;
}

static void note_reading(wsf_mesh *mesh) {
    atomic_store_explicit(&mesh->read_ms, wsf_clock_ms(), memory_order_relaxed);
}

/* Where nothing has come the lock is left to others: a host that does not wait between its dispatches would have it
 * nearly always. */
bool wsf_mesh_read(wsf_mesh *mesh, wsf_inbox *inbox) {
    enum { SHARE = 8 }; /* a dispatch is short */
    stand_in before;
    if (!has_come(mesh)) {
        note_reading(mesh);
        return false;
    }
    if (!begin_stand_in(mesh, &before)) {
        wsf_inbox_overlook(inbox); /* else the host would spin until the lock is free */
        wsf_mailbox_wake(&mesh->mailbox);
        return false;
    }
    wsf_mesh_receive(mesh, SHARE, inbox);
    flush(mesh);
    note_reading(mesh);
    uint64_t sockets_ms = wsf_mesh_effects_carrier_deadline(&mesh->out);
    bool more = sockets_ms == 0;
    atomic_store(&mesh->unread, more);
    end_stand_in(mesh, &before,
                 more ? !atomic_load(&mesh->beside_reader) : sockets_ms < mesh->wake_ms);
    return more;
}

/* Ends what wsf_queue_begin() began, and sends, or wakes the mesh thread. item NULL: it could not be made.
 * now_ns: the time, if the caller has read the clock; or 0. */
static void commit(wsf_mesh *mesh, bool here, wsf_item *item, uint64_t now_ns) {
    bool wake;
    wsf_queue_commit(&mesh->mailbox.queue, item, &wake);
    if (here || !wake)
        return;
    if (mesh->out.carrier != NULL && has_rested(mesh, now_ns != 0 ? now_ns : wsf_clock_ns()))
        send_here(mesh);
    else
        wsf_mailbox_wake(&mesh->mailbox);
}

static int post_bounded(wsf_mesh *mesh, wsf_item *item) {
    bool here = begin_here(mesh);
    int error = wsf_queue_begin(&mesh->mailbox.queue, item->bytes);
    if (error == WSFAN_OK)
        commit(mesh, here, item, 0);
    if (here)
        finish_here(mesh);
    return error;
}

/* Times one message of each batch that the mesh thread takes: the first, whose publisher wakes the thread, and
 * for that reads the clock anyway. Returns the time; 0: the message is not timed. The queue is locked. */
static uint64_t time_message(wsf_mesh *mesh, wsfan_message *message) {
    if (wsf_queue_last(&mesh->mailbox.queue) != NULL)
        return 0;
    uint64_t now_ns = wsf_clock_ns();
    message->published = wsf_clock_stamp(now_ns);
    return now_ns;
}

/* Publishes a message in the run that is open: whoever published the first item has seen to it that they are taken. The
 * queue is locked, and is not afterwards. False: there is no such run, and it still is. */
static inline bool publish_in_run(wsf_mesh *mesh, const wsf_message_parts *parts, uint32_t bytes) {
    wsf_queue *queue = &mesh->mailbox.queue;
    if (!wsf_open_run_add(&mesh->open_run, queue, parts))
        return false;
    wsf_queue_commit_more(queue, bytes);
    return true;
}

/* Publishes a message in a new run, or for itself, in a slab that all publishers share if it is small. The queue is
 * locked, and is not afterwards. */
static int publish_first(wsf_mesh *mesh, bool here, const wsf_message_parts *parts,
                         uint32_t bytes) {
    wsf_queue *queue = &mesh->mailbox.queue;
    bool may_run = wsf_run_may_have(parts);
    wsfan_message *message = may_run ? wsf_open_run_begin(&mesh->open_run, queue, parts) : NULL;
    if (message == NULL) {
        message = bytes <= WSF_MESSAGE_SMALL ? wsf_message_make(&mesh->pool, parts, bytes)
                                             : wsf_message_new(&mesh->key, parts);
        if (message != NULL && may_run)
            wsf_open_run_note(&mesh->open_run, queue, message);
    }
    uint64_t now_ns = 0;
    if (message != NULL) {
        message->item.kind = WSF_MESH_PUBLISH;
        message->item.bytes = bytes;
        now_ns = time_message(mesh, message);
    }
    commit(mesh, here, message != NULL ? &message->item : NULL, now_ns);
    return message != NULL ? WSFAN_OK : WSFAN_ENOMEM;
}

static int publish_alone(wsf_mesh *mesh, bool here, wsfan_message *message) {
    message->item.kind = WSF_MESH_PUBLISH;
    uint64_t now_ns = time_message(mesh, message);
    commit(mesh, here, &message->item, now_ns);
    return WSFAN_OK;
}

static void count_refusal(wsf_mesh *mesh, int error) {
    if (error == WSFAN_EAGAIN)
        atomic_fetch_add_explicit(&mesh->refused, 1, memory_order_relaxed);
}

static __attribute__((noinline)) int publish_any(wsf_mesh *mesh, const wsf_message_parts *parts,
                                                 wsf_receipt *receipt) {
    wsfan_message *message = NULL;
    size_t bytes = wsf_message_need(parts);
    bool shares = receipt == NULL && !parts->apart &&
                  (bytes <= WSF_MESSAGE_SMALL || wsf_run_may_have(parts));
    if (!shares) {
        message = wsf_message_new(&mesh->key, parts);
        if (message == NULL) {
            wsf_receipt_unref(receipt);
            return WSFAN_ENOMEM;
        }
        message->receipt = receipt;
    }
    bool here = begin_here(mesh);
    int error = wsf_queue_begin(&mesh->mailbox.queue, bytes);
    if (error != WSFAN_OK) {
        wsfan_message_unref(message);
        count_refusal(mesh, error);
    } else if (!shares) {
        error = publish_alone(mesh, here, message);
    } else if (!wsf_run_may_have(parts) || !publish_in_run(mesh, parts, (uint32_t)bytes)) {
        error = publish_first(mesh, here, parts, (uint32_t)bytes);
    }
    if (here)
        finish_here(mesh);
    return error;
}

/* Under load nearly all messages go into the run that is open, so what most nodes need for that comes first. */
int wsf_mesh_publish(wsf_mesh *mesh, const wsf_message_parts *parts, wsf_receipt *receipt) {
    if (receipt != NULL || mesh->out.carrier == NULL || !wsf_run_may_have(parts))
        return publish_any(mesh, parts, receipt);
    uint32_t bytes = (uint32_t)wsf_message_need(parts);
    int error = wsf_queue_begin(&mesh->mailbox.queue, bytes);
    if (error == WSFAN_OK)
        return publish_in_run(mesh, parts, bytes) ? WSFAN_OK
                                                  : publish_first(mesh, false, parts, bytes);
    count_refusal(mesh, error);
    return error;
}

int wsf_mesh_drain(wsf_mesh *mesh, uint32_t ms) {
    wsf_mesh_command *command = wsf_alloc_zero(1, sizeof *command);
    if (command == NULL)
        return WSFAN_ENOMEM;
    command->item.kind = WSF_MESH_DRAIN;
    command->ms = ms;
    wsf_mesh_post(mesh, &command->item);
    return WSFAN_OK;
}

int wsf_mesh_ready(wsf_mesh *mesh) {
    lock(mesh);
    int ready = wsf_core_readiness(mesh->out.core, wsf_mesh_now());
    pthread_mutex_unlock(&mesh->lock);
    return ready;
}

wsf_view *wsf_mesh_view(wsf_mesh *mesh) {
    lock(mesh);
    wsf_view *view = mesh->out.view != NULL ? wsf_view_ref(mesh->out.view) : NULL;
    pthread_mutex_unlock(&mesh->lock);
    return view;
}

int wsf_mesh_ask(wsf_mesh *mesh, wsf_request *request) {
    request->item.kind = WSF_MESH_ASK;
    request->item.bytes = request->message->item.bytes;
    int error = post_bounded(mesh, &request->item);
    if (error != WSFAN_OK)
        wsf_request_free(request);
    return error;
}

int wsf_mesh_reply_to(wsf_mesh *mesh, wsf_mesh_reply *reply) {
    reply->item.kind = WSF_MESH_REPLY;
    reply->item.bytes = (uint32_t)(sizeof *reply + reply->payload_size);
    int error = post_bounded(mesh, &reply->item);
    if (error != WSFAN_OK)
        free_reply(reply);
    return error;
}

int wsf_mesh_name_endpoints(wsf_mesh *mesh, unsigned source, const char *const *endpoints,
                            size_t count) {
    size_t size = sizeof(named_set) + count * sizeof(char *);
    for (size_t i = 0; i < count; i++)
        size += strlen(endpoints[i]) + 1;
    named_set *set = wsf_alloc(size);
    if (set == NULL)
        return WSFAN_ENOMEM;
    char *text = (char *)(set->endpoints + count);
    set->count = count;
    for (size_t i = 0; i < count; i++) {
        set->endpoints[i] = text;
        text = stpcpy(text, endpoints[i]) + 1;
    }
    wsf_free(atomic_exchange(&mesh->named[source], set));
    atomic_store(&mesh->named_any, true);
    wsf_mailbox_wake(&mesh->mailbox);
    return WSFAN_OK;
}

void wsf_mesh_names_known(wsf_mesh *mesh) {
    atomic_store(&mesh->names_known, true);
    atomic_store(&mesh->named_any, true);
    wsf_mailbox_wake(&mesh->mailbox);
}

/* The list is taken as one with the flag, by the mesh thread alone. */
void wsf_mesh_set_names(wsf_mesh *mesh, wsf_name *names) {
    wsf_names_free(atomic_exchange(&mesh->names_next, names));
    atomic_store(&mesh->names_told, true);
    atomic_store(&mesh->named_any, true);
    wsf_mailbox_wake(&mesh->mailbox);
}

void wsf_mesh_set_keys(wsf_mesh *mesh, wsf_keys *keys) {
    wsf_keyring_free_keys(atomic_exchange(&mesh->keys_next, keys));
    atomic_store(&mesh->named_any, true);
    wsf_mailbox_wake(&mesh->mailbox);
}

void wsf_mesh_stats(wsf_mesh *mesh, wsfan_stats *stats) {
    lock(mesh);
    wsf_core_stats(mesh->out.core, stats);
    if (mesh->out.carrier != NULL)
        mesh->out.carrier->calls->count(mesh->out.carrier, stats);
    pthread_mutex_unlock(&mesh->lock);
    stats->dropped[WSFAN_DROP_PUBLISH_QUEUE] = atomic_load(&mesh->refused);
    wsf_queue_depth(&mesh->mailbox.queue, &stats->publish_queue_count, &stats->publish_queue_bytes);
}

size_t wsf_mesh_peers(wsf_mesh *mesh, wsfan_peer_stats *peers, size_t capacity) {
    lock(mesh);
    size_t count = wsf_core_peers(mesh->out.core, peers, capacity);
    pthread_mutex_unlock(&mesh->lock);
    return count;
}

size_t wsf_mesh_endpoints(wsf_mesh *mesh, wsfan_endpoint *endpoints, size_t capacity) {
    lock(mesh);
    size_t count = wsf_core_endpoints(mesh->out.core, endpoints, capacity, wsf_mesh_now());
    pthread_mutex_unlock(&mesh->lock);
    return count;
}

size_t wsf_mesh_callers(wsf_mesh *mesh, wsfan_caller *callers, size_t capacity) {
    lock(mesh);
    size_t count = wsf_core_callers(mesh->out.core, callers, capacity, wsf_mesh_now());
    pthread_mutex_unlock(&mesh->lock);
    return count;
}

void wsf_mesh_state(wsf_mesh *mesh, wsfan_node_state *state) {
    lock(mesh);
    wsf_core_state(mesh->out.core, state, wsf_mesh_now());
    pthread_mutex_unlock(&mesh->lock);
}

void wsf_mesh_measure(wsf_mesh *mesh, wsf_core_metrics *metrics) {
    lock(mesh);
    wsf_core_measure(mesh->out.core, metrics);
    pthread_mutex_unlock(&mesh->lock);
}

void wsf_mesh_count(wsf_mesh *mesh, uint64_t chat_hash, wsfan_count *count) {
    lock(mesh);
    wsf_core_count(mesh->out.core, chat_hash, count);
    pthread_mutex_unlock(&mesh->lock);
}

void wsf_mesh_visit(wsf_mesh *mesh, uint64_t chat_hash, uint64_t *cursor, uint32_t max,
                    void (*each)(void *user, const wsfan_member *member), void *user) {
    lock(mesh);
    wsf_core_visit(mesh->out.core, chat_hash, cursor, max, each, user);
    pthread_mutex_unlock(&mesh->lock);
}
