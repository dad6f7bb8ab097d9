/* Memory that runs out: each allocation of the library fails, at every place, once or from there on. */
#include <malloc.h>
#include <poll.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include <wsfan/outbound.h>
#include <wsfan/peers.h>
#include <wsfan/placement.h>
#include <wsfan/presence.h>
#include <wsfan/requests.h>
#include <wsfan/stats.h>

#include "failing.h"
#include "now.h"

enum { MESSAGES = 3 };

typedef struct {
    wsfan_node *node;
    wsfan_loop *loop;
    unsigned messages;
    unsigned joined;
    unsigned deaf; /* joins that the node could not note */
    uint64_t gap;
    unsigned asked, replies;
    unsigned results_due, results;
    unsigned presence;
    bool drained;
    uint64_t probe; /* the message that is waited for */
    bool probed;
} seen;

static void on_message(void *user, wsfan_message *message, const wsfan_recipient *recipients,
                       size_t count) {
    seen *s = user;
    uint64_t number;
    wsfan_bytes payload = wsfan_message_payload(message);
    (void)recipients, (void)count;
    s->messages++;
    if (payload.size != sizeof number)
        return;
    memcpy(&number, payload.data, sizeof number);
    s->probed = number == s->probe;
}

static void on_joined(void *user, const wsfan_joined *joined) {
    ((seen *)user)->joined++;
    ((seen *)user)->deaf += joined->status == WSFAN_ENOMEM;
}

static void on_gap(void *user, const wsfan_gap *gap) {
    ((seen *)user)->gap += gap->count;
}

static const wsfan_callbacks CALLBACKS = { .struct_size = sizeof CALLBACKS,
                                           .on_message = on_message,
                                           .on_joined = on_joined,
                                           .on_gap = on_gap };

/* A host's life; whatever fails is left out. Everything accepted is delivered or reported. */
static void live(wsfan_node *node) {
    seen s = { .node = node };
    wsfan_loop *loop;
    wsfan_session sessions[20];
    unsigned joins = 0;
    unsigned accepted = 0;
    if (!all_or_no_memory(wsfan_loop_open(&loop, node, &CALLBACKS, &s)))
        return;
    for (int i = 0; i < 20; i++) {
        if (!all_or_no_memory(wsfan_session_open(&sessions[i], loop, wsfan_string("u"), NULL)))
            continue;
        joins += all_or_no_memory(wsfan_session_join(loop, sessions[i], wsfan_string("x")));
    }
    for (int i = 0; i < MESSAGES && joins > 0; i++)
        accepted += all_or_no_memory(
            wsfan_broadcast(node, wsfan_string("x"), wsfan_string("payload"), NULL));
    while (s.joined < joins || (s.deaf == 0 && s.messages + s.gap < accepted)) {
        struct pollfd item = { .fd = wsfan_loop_fd(loop), .events = POLLIN };
        ck_assert(poll(&item, 1, 20000) == 1);
        ck_assert(wsfan_loop_dispatch(loop, 0) >= 0);
    }
    ck_assert(wsfan_loop_close(loop) == WSFAN_OK);
}

/* ---------------------------------------------------------------------------- the hook itself */

static int outbound_first; /* what became of open_outbound_first() */

/* A process of its own, because the first allocator is for good. 0: it went as it should. */
static int run_in_child(int (*run)(void)) {
    pid_t child = fork();
    int status = 0;
    if (child == 0)
        _exit(run());
    if (child < 0 || waitpid(child, &status, 0) != child || !WIFEXITED(status))
        return -1;
    return WEXITSTATUS(status);
}

static int open_with(const wsfan_allocator *allocator) {
    wsfan_node *node;
    wsfan_options options;
    wsfan_options_init(&options);
    options.allocator = allocator;
    int error = wsfan_node_open(&node, &options);
    return error == WSFAN_OK ? wsfan_node_close(node) : error;
}

static int open_outbound_first(void) {
    wsfan_outbound *outbound;
    wsfan_outbound_options options;
    wsfan_outbound_options_init(&options);
    if (wsfan_outbound_open(&outbound, &options) != WSFAN_OK)
        return 1;
    if (open_with(&FAILING) != WSFAN_EBUSY)
        return 2;
    wsfan_outbound_close(outbound);
    if (open_with(&FAILING) != WSFAN_EBUSY) /* it stays settled */
        return 3;
    return open_with(NULL) == WSFAN_OK && atomic_load(&live_count) == 0 ? 0 : 4;
}

START_TEST(an_outbound_queue_that_is_first_settles_malloc) {
    ck_assert_int_eq(outbound_first, 0);
}
END_TEST

START_TEST(the_first_allocator_is_that_of_the_process) {
    wsfan_allocator other = FAILING;
    wsfan_allocator incomplete = FAILING;
    incomplete.alloc = NULL;
    ck_assert_int_eq(open_with(&incomplete), WSFAN_EINVAL);
    incomplete = FAILING;
    incomplete.realloc = NULL;
    ck_assert_int_eq(open_with(&incomplete), WSFAN_EINVAL);
    incomplete = FAILING;
    incomplete.free = NULL;
    ck_assert_int_eq(open_with(&incomplete), WSFAN_EINVAL);
    ck_assert_int_eq(open_with(&FAILING), WSFAN_OK); /* those before have settled nothing */
    other.user = &other;
    ck_assert_int_eq(open_with(&other), WSFAN_EBUSY);
    ck_assert_int_eq(open_with(&FAILING), WSFAN_OK);
    wsfan_outbound *outbound;
    wsfan_outbound_options options;
    wsfan_outbound_options_init(&options);
    ck_assert_int_eq(wsfan_outbound_open(&outbound, &options), WSFAN_OK);
    ck_assert_int_gt(atomic_load(&live_count), 0); /* NULL is the one in use */
    wsfan_outbound_close(outbound);
    ck_assert_int_eq(open_with(NULL), WSFAN_OK);
    ck_assert_int_eq(atomic_load(&live_count), 0);
}
END_TEST

/* ------------------------------------------------------------------------------------- secrets */

static const char SECRET[] = "JTKVSB%%)wK0E.X)V>+}o?pNmC{O&4W4b!Ni{Lh6";
static atomic_uint secrets_freed;
static int secrets_left; /* what became of free_secrets() */

static void *plain_alloc(void *user, size_t size) {
    (void)user;
    return malloc(size);
}

static void *plain_realloc(void *user, void *memory, size_t size) {
    (void)user;
    return realloc(memory, size);
}

static void watching_free(void *user, void *memory) {
    (void)user;
    if (memory != NULL &&
        memmem(memory, malloc_usable_size(memory), SECRET, strlen(SECRET)) != NULL)
        atomic_fetch_add(&secrets_freed, 1);
    free(memory);
}

static int free_secrets(void) {
    static const wsfan_allocator watching = { NULL, plain_alloc, plain_realloc, watching_free };
    wsfan_node *node;
    wsfan_options options;
    wsfan_options_init(&options);
    options.allocator = &watching;
    options.endpoint = "tcp://127.0.0.1:*";
    options.secret_key = SECRET;
    if (wsfan_node_open(&node, &options) != WSFAN_OK ||
        wsfan_node_allow_keys(node, NULL, 0) != WSFAN_OK || wsfan_node_close(node) != WSFAN_OK)
        return 1;
    return atomic_load(&secrets_freed) == 0 ? 0 : 2;
}

START_TEST(no_memory_is_given_back_with_a_secret_key_in_it) {
    ck_assert_int_eq(secrets_left, 0);
}
END_TEST

START_TEST(any_one_allocation_may_fail_in_the_life_of_a_host) {
    long n = 0;
    do {
        wsfan_node *node;
        wsfan_options options;
        wsfan_options_init(&options);
        options.allocator = &FAILING;
        arm(n, false);
        if (all_or_no_memory(wsfan_node_open(&node, &options))) {
            live(node);
            ck_assert(wsfan_node_close(node) == WSFAN_OK);
        }
        ck_assert_int_eq(atomic_load(&live_count), 0);
        n++;
    } while (disarm());
    ck_assert_int_gt(n, 50);
}
END_TEST

/* ------------------------------------------------------------------------------ the whole API */

static void on_request(void *user, const wsfan_request *request) {
    all_or_no_memory(wsfan_node_reply(((seen *)user)->node, request->token, wsfan_string("pong")));
}

static void on_close(void *user, const wsfan_close *close) {
    ck_assert_int_eq(wsfan_session_close(((seen *)user)->loop, close->session), WSFAN_OK);
}

static void on_reply(void *user, const wsfan_reply *reply) {
    ck_assert(reply->status == WSFAN_OK || reply->status == WSFAN_EPARTIAL ||
              reply->status == WSFAN_ENOMEM);
    ((seen *)user)->replies++;
}

static void on_result(void *user, const wsfan_result *result) {
    ck_assert(result->status == WSFAN_OK || result->status == WSFAN_EPARTIAL);
    ((seen *)user)->results++;
}

static void on_drain(void *user, const wsfan_recipient *sessions, size_t count) {
    for (size_t i = 0; i < count; i++)
        ck_assert_int_eq(wsfan_session_close(((seen *)user)->loop, sessions[i].session), WSFAN_OK);
}

static void on_drained(void *user, int status) {
    (void)status;
    ((seen *)user)->drained = true;
}

static void on_presence(void *user, const wsfan_presence *presence) {
    ck_assert_uint_ge(presence->chat.size, 1);
    ((seen *)user)->presence++;
}

static const wsfan_callbacks ALL_CALLBACKS = { .struct_size = sizeof ALL_CALLBACKS,
                                               .on_message = on_message,
                                               .on_joined = on_joined,
                                               .on_gap = on_gap,
                                               .on_request = on_request,
                                               .on_close = on_close,
                                               .on_reply = on_reply,
                                               .on_result = on_result,
                                               .on_drain = on_drain,
                                               .on_drained = on_drained,
                                               .on_presence = on_presence };

static void visit(void *user, const wsfan_member *member) {
    (void)user;
    ck_assert_uint_ge(member->user.size, 1);
}

static void ask_about_node(wsfan_node *node) {
    static const char *const named[] = { "tcp://127.0.0.1:2", "tcp://127.0.0.1:3",
                                         "tcp://localhost:5" };
    wsfan_peer_stats peers[4];
    wsfan_stats stats = { .struct_size = sizeof stats };
    wsfan_owner owner = { .struct_size = sizeof owner };
    wsfan_count counted = { .struct_size = sizeof counted };
    uint64_t cursor = 0;
    size_t count;
    peers[0].struct_size = sizeof *peers;
    all_or_no_memory(wsfan_node_set_peers(node, named, 3));
    all_or_no_memory(wsfan_node_get_peers(node, peers, 4, &count));
    all_or_no_memory(wsfan_node_get_stats(node, &stats));
    all_or_no_memory(wsfan_node_get_owner(node, wsfan_string("c0"), &owner));
    ck_assert_int_ge(wsfan_node_ready(node), 0);
    ck_assert_int_eq(wsfan_chat_get_count(node, wsfan_string("c0"), &counted), WSFAN_OK);
    do
        ck_assert_int_eq(wsfan_chat_members(node, wsfan_string("c0"), &cursor, 2, visit, NULL),
                         WSFAN_OK);
    while (cursor != 0);
}

static void renew_keys(wsfan_node *node) {
    static const char *const keys[] = { "Yne@$w-vo<fVvi]a<NY6T1ed:M$fCG*[IaLV{hID" };
    all_or_no_memory(wsfan_node_allow_keys(node, keys, 1));
    all_or_no_memory(wsfan_node_reload_keys(node));
}

static void ask_for_everything(wsfan_node *node, seen *s) {
    const wsfan_target user = { WSFAN_USER, wsfan_string("u") };
    const wsfan_target all = { WSFAN_ALL, { NULL, 0 } };
    const wsfan_request_options o = { .struct_size = sizeof o, .reply_loop = s->loop };
    s->asked += all_or_no_memory(wsfan_remote_join(node, &user, 1, wsfan_string("r"), &o));
    s->asked += all_or_no_memory(wsfan_list_sessions(node, &all, 1, &o));
    s->asked += all_or_no_memory(wsfan_list_sessions(node, &user, 1, &o));
    s->asked += all_or_no_memory(wsfan_list_chats(node, &all, 1, &o));
    s->asked += all_or_no_memory(wsfan_list_nodes(node, &o));
    s->asked += all_or_no_memory(wsfan_list_stats(node, &o));
    s->asked += all_or_no_memory(wsfan_node_send(node, 0, wsfan_string("ping"), &o));
    s->asked += all_or_no_memory(wsfan_remote_leave(node, &user, 1, wsfan_string("r"), &o));
    s->asked += all_or_no_memory(
        wsfan_remote_close(node, &user, 1, 1001, wsfan_string("away"), &o));
    all_or_no_memory(wsfan_node_send(node, 0, wsfan_string("nobody wants to know"), NULL));
}

static void publish_in_every_way(wsfan_node *node, seen *s, const char *chat,
                                 wsfan_session session) {
    const wsfan_publish_options plain = { .struct_size = sizeof plain, .flags = WSFAN_BINARY };
    const wsfan_publish_options latest = { .struct_size = sizeof latest,
                                           .key = wsfan_string("cursor") };
    const wsfan_publish_options except = { .struct_size = sizeof except,
                                           .except = wsfan_session_address(s->loop, session) };
    const wsfan_publish_options result = { .struct_size = sizeof result, .result_loop = s->loop };
    const wsfan_target targets[] = { { WSFAN_CHAT, wsfan_string(chat) },
                                     { WSFAN_USER, wsfan_string("u") },
                                     { WSFAN_NOT_CHAT, wsfan_string("c9") } };
    static const char large[5000];
    all_or_no_memory(wsfan_broadcast(node, wsfan_string(chat), wsfan_string("x"), &plain));
    all_or_no_memory(wsfan_broadcast(node, wsfan_string(chat), wsfan_string("1"), &latest));
    all_or_no_memory(wsfan_broadcast(node, wsfan_string(chat), wsfan_string("2"), &latest));
    all_or_no_memory(wsfan_publish(node, targets, 3, wsfan_string("z"), &except));
    all_or_no_memory(wsfan_broadcast_all(node, (wsfan_bytes){ large, sizeof large }, NULL));
    s->results_due += all_or_no_memory(
        wsfan_broadcast(node, wsfan_string(chat), wsfan_string("y"), &result));
}

static void use_outbound(void) {
    wsfan_outbound *outbound;
    wsfan_outbound_options options;
    wsfan_outbound_options_init(&options);
    options.policy = WSFAN_OUTBOUND_OLDEST;
    options.count_max = 20;
    if (!all_or_no_memory(wsfan_outbound_open(&outbound, &options)))
        return;
    for (uint64_t i = 0; i < 40; i++)
        all_or_no_memory(wsfan_outbound_push(outbound, &options, 1, i % 30));
    while (wsfan_outbound_take(outbound) != NULL)
        continue;
    wsfan_outbound_close(outbound);
}

static void dispatch(seen *s, int timeout_ms) {
    struct pollfd item = { .fd = wsfan_loop_fd(s->loop), .events = POLLIN };
    ck_assert_int_ge(poll(&item, 1, timeout_ms), 0);
    ck_assert_int_ge(wsfan_loop_dispatch(s->loop, 0), 0);
}

/* What was accepted is answered, whatever became of it. */
static void await_answers(seen *s) {
    const int64_t begin_ms = now_ms();
    while (s->replies < s->asked || s->results < s->results_due) {
        ck_assert_int_lt(now_ms() - begin_ms, 20000);
        dispatch(s, 10);
    }
}

/* Every call of the API that may allocate: each returns an error or completes, nothing is owed, and
 * closing needs no memory. */
static void call_everything(wsfan_node *node) {
    seen s = { .node = node };
    wsfan_session session;
    const wsfan_join_options present = { .struct_size = sizeof present,
                                         .flags = WSFAN_PRESENCE,
                                         .metadata = wsfan_string("green") };
    use_outbound();
    if (!all_or_no_memory(wsfan_loop_open(&s.loop, node, &ALL_CALLBACKS, &s)))
        return;
    for (int i = 0; i < 6; i++) {
        char chat[8] = { 'c', (char)('0' + i / 2), '\0' };
        if (!all_or_no_memory(wsfan_session_open(&session, s.loop, wsfan_string("u"), NULL)))
            continue;
        bool is_in = all_or_no_memory(
            wsfan_session_join_with(s.loop, session, wsfan_string(chat), &present));
        if (is_in)
            all_or_no_memory(wsfan_session_set_metadata(s.loop, session, wsfan_string(chat),
                                                        wsfan_string("red")));
        publish_in_every_way(node, &s, chat, session);
        if (is_in && i % 3 == 0)
            ck_assert_int_eq(wsfan_session_leave(s.loop, session, wsfan_string(chat)), WSFAN_OK);
        dispatch(&s, 0);
    }
    renew_keys(node);
    ask_about_node(node);
    ask_for_everything(node, &s);
    await_answers(&s);
    if (all_or_no_memory(wsfan_node_drain(node, 20)))
        for (int64_t begin_ms = now_ms(); !s.drained; dispatch(&s, 10))
            ck_assert_int_lt(now_ms() - begin_ms, 20000);
    ck_assert_int_eq(wsfan_loop_close(s.loop), WSFAN_OK);
}

static void live_a_whole_life(long n, bool all) {
    wsfan_node *node;
    wsfan_options options;
    wsfan_options_init(&options);
    options.endpoint = "tcp://127.0.0.1:*";
    options.secret_key = "D:)Q[IlAW!ahhC2ac:9*A}h:p?([4%wOTJ%JR%cs";
    options.close_ms_max = 0;
    options.request_ms_max = 20;
    options.join_ms_max = 10;
    options.result_ms_max = 10;
    options.allocator = &FAILING;
    arm(n, all);
    if (all_or_no_memory(wsfan_node_open(&node, &options))) {
        call_everything(node);
        ck_assert_int_eq(wsfan_node_close(node), WSFAN_OK);
    }
    ck_assert_int_eq(atomic_load(&live_count), 0);
}

START_TEST(memory_may_be_gone_for_good_at_any_place) {
    long n = 0;
    do {
        live_a_whole_life(n, true);
        n += STRIDE;
    } while (disarm());
    ck_assert_int_gt(n, 100); /* how many exactly is up to the threads */
}
END_TEST

START_TEST(any_one_allocation_may_fail_of_a_whole_host) {
    long n = 0;
    do {
        live_a_whole_life(n, false);
        n += STRIDE;
    } while (disarm());
    ck_assert_int_gt(n, 100); /* how many exactly is up to the threads */
}
END_TEST

/* ------------------------------------------------------------------------------------- two nodes */

static void open_side(seen *s, const char *name, const char *const *peers) {
    wsfan_options options;
    wsfan_session session;
    memset(s, 0, sizeof *s);
    wsfan_options_init(&options);
    options.name = name;
    options.endpoint = "tcp://127.0.0.1:*";
    options.peers = peers;
    options.peers_count = peers != NULL;
    options.heartbeat_ms = 20;
    options.request_ms_max = 40;
    options.join_ms_max = 20;
    options.result_ms_max = 20;
    options.presence_grace_ms = 0;
    options.allocator = &FAILING;
    ck_assert_int_eq(wsfan_node_open(&s->node, &options), WSFAN_OK);
    ck_assert_int_eq(wsfan_loop_open(&s->loop, s->node, &ALL_CALLBACKS, s), WSFAN_OK);
    ck_assert_int_eq(wsfan_session_open(&session, s->loop, wsfan_string("ever"), NULL), WSFAN_OK);
    ck_assert_int_eq(wsfan_session_join(s->loop, session, wsfan_string("ever")), WSFAN_OK);
}

/* Until a message of each has come to the other. */
static void probe(seen *a, seen *b, uint64_t number) {
    seen *sides[] = { a, b };
    a->probe = b->probe = number;
    for (int i = 0; i < 2; i++) {
        sides[i]->probed = sides[1 - i]->probed = false;
        ck_assert_int_eq(wsfan_broadcast(sides[i]->node, wsfan_string("ever"),
                                         (wsfan_bytes){ &number, sizeof number }, NULL),
                         WSFAN_OK);
        const int64_t begin_ms = now_ms();
        while (!sides[1 - i]->probed) {
            ck_assert_int_lt(now_ms() - begin_ms, 20000);
            dispatch(sides[1 - i], 1);
            dispatch(sides[i], 0);
        }
    }
}

static bool is_up(wsfan_node *node) {
    wsfan_stats stats = { .struct_size = sizeof stats };
    ck_assert_int_eq(wsfan_node_get_stats(node, &stats), WSFAN_OK);
    return stats.peers_up == 1;
}

/* Both are hosts of sessions and ask each other for everything. */
static void meet(seen *a, seen *b) {
    seen *sides[] = { a, b };
    wsfan_session sessions[4] = { { 0 } };
    const wsfan_join_options present = { .struct_size = sizeof present,
                                         .flags = WSFAN_PRESENCE,
                                         .metadata = wsfan_string("green") };
    for (int i = 0; i < 4; i++) {
        seen *s = sides[i % 2];
        if (!all_or_no_memory(wsfan_session_open(&sessions[i], s->loop, wsfan_string("u"), NULL)))
            continue;
        if (all_or_no_memory(
                wsfan_session_join_with(s->loop, sessions[i], wsfan_string("c0"), &present)))
            all_or_no_memory(wsfan_session_set_metadata(s->loop, sessions[i], wsfan_string("c0"),
                                                        wsfan_string("red")));
        publish_in_every_way(s->node, s, "c0", sessions[i]);
        dispatch(s, 0);
    }
    for (int i = 0; i < 2; i++) {
        ask_about_node(sides[i]->node);
        ask_for_everything(sides[i]->node, sides[i]);
    }
    const int64_t begin_ms = now_ms();
    while (a->replies < a->asked || a->results < a->results_due || b->replies < b->asked ||
           b->results < b->results_due) {
        ck_assert_int_lt(now_ms() - begin_ms, 20000);
        dispatch(a, 1);
        dispatch(b, 1);
    }
    for (int i = 0; i < 4; i++) { /* those that are still open */
        int error = wsfan_session_close(sides[i % 2]->loop, sessions[i]);
        ck_assert(error == WSFAN_OK || error == WSFAN_ESTALE);
    }
}

/* Threads allocate as it comes, so which one fails differs from run to run. */
static void meet_without_memory(bool all, long stride) {
    seen a;
    seen b;
    open_side(&a, "a", NULL);
    const char *const peers[] = { wsfan_node_endpoint(a.node) };
    open_side(&b, "b", peers);
    /* Before a join is complete a message may miss it. */
    const int64_t begin_ms = now_ms();
    while (!is_up(a.node) || !is_up(b.node) || a.joined == 0 || b.joined == 0) {
        ck_assert_int_lt(now_ms() - begin_ms, 20000);
        dispatch(&a, 10);
        dispatch(&b, 0);
    }
    long n = 0;
    uint64_t number = 1000;
    do {
        arm(n, all);
        meet(&a, &b);
        n += stride * STRIDE;
        bool failed = disarm();
        probe(&a, &b, number++);
        if (!failed)
            break;
    } while (true);
    ck_assert_int_gt(n, 100); /* how many exactly is up to the threads */
    seen *sides[] = { &a, &b };
    for (int i = 0; i < 2; i++) {
        ck_assert_int_eq(wsfan_loop_close(sides[i]->loop), WSFAN_OK);
        ck_assert_int_eq(wsfan_node_close(sides[i]->node), WSFAN_OK);
    }
    ck_assert_int_eq(atomic_load(&live_count), 0);
}

START_TEST(any_one_allocation_may_fail_of_two_nodes_that_meet) {
    meet_without_memory(false, 3);
}
END_TEST

START_TEST(two_nodes_that_meet_may_both_be_without_memory_for_a_while) {
    meet_without_memory(true, 7);
}
END_TEST

/* A DNS entry that is an address: c-ares answers without a hosts file, which a bare container lacks. */
START_TEST(any_one_allocation_may_fail_while_peers_are_named) {
    static const char *const peers[] = { "tcp://127.0.0.1:1", "dns://127.0.0.1:4" };
    static const char *const named[] = { "tcp://127.0.0.1:2", "tcp://127.0.0.1:3",
                                         "tcp://localhost:5" };
    long n = 0;
    do {
        wsfan_node *node;
        wsfan_options options;
        wsfan_options_init(&options);
        options.endpoint = "tcp://127.0.0.1:*";
        options.peers = peers;
        options.peers_count = 2;
        options.allocator = &FAILING;
        arm(n, false);
        if (all_or_no_memory(wsfan_node_open(&node, &options))) {
            bool set = all_or_no_memory(wsfan_node_set_peers(node, named, 3));
            wsfan_stats stats = { .struct_size = sizeof stats };
            do /* the name, too, is asked for until there is an answer that can be kept */
                ck_assert(wsfan_node_get_stats(node, &stats) == WSFAN_OK);
            while (stats.dns_answers == 0 || stats.endpoints < (set ? 5 : 2));
            ck_assert(wsfan_node_close(node) == WSFAN_OK);
        }
        ck_assert_int_eq(atomic_load(&live_count), 0);
        n++;
    } while (disarm());
    ck_assert_int_gt(n, 5);
}
END_TEST

SUITE_RUN("memory", the_first_allocator_is_that_of_the_process,
          an_outbound_queue_that_is_first_settles_malloc,
          no_memory_is_given_back_with_a_secret_key_in_it,
          any_one_allocation_may_fail_in_the_life_of_a_host,
          memory_may_be_gone_for_good_at_any_place, any_one_allocation_may_fail_of_a_whole_host,
          any_one_allocation_may_fail_of_two_nodes_that_meet,
          two_nodes_that_meet_may_both_be_without_memory_for_a_while,
          any_one_allocation_may_fail_while_peers_are_named)

int main(void) {
    outbound_first = run_in_child(open_outbound_first);
    secrets_left = run_in_child(free_secrets);
    return run_suite();
}
