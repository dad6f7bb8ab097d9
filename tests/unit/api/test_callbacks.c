/* What callbacks are shown, under everything that they may call: two nodes, hosts that do whatever comes
 * into their heads inside every callback, and then read each pointer that they were given once more.
 * ASan sees what has been freed; any build sees what has changed. */
#include <stdbool.h>
#include <stddef.h>
#include <string.h>
#include <wsfan/diagnosis.h>
#include <wsfan/peers.h>
#include <wsfan/placement.h>
#include <wsfan/presence.h>
#include <wsfan/requests.h>
#include <wsfan/stats.h>

#include "live.h"
#include "suite.h"

enum { LOOPS = 3, SESSIONS_MAX = 40, RANGES_MAX = 2048, BYTES_MAX = 1 << 16, LIVES = 12 };

typedef enum {
    MESSAGE,
    JOINED,
    PEER,
    GAP,
    RESULT,
    OWNER,
    DRAIN,
    DRAINED,
    LEFT,
    CLOSE,
    REQUEST,
    REPLY,
    PRESENCE,
    EVENT,
    CALLBACKS
} callback;

typedef struct {
    wsfan_node *node;
    wsfan_loop *loop;
    wsfan_session sessions[SESSIONS_MAX]; /* {0}, or closed: as good as any */
    uint64_t token;
    bool drained;
} host;

static host hosts[LOOPS];
static unsigned seen[CALLBACKS]; /* in all lives */
static uint64_t dice;
static int budget; /* of calls, so that one does not lead to two */

static size_t below(size_t n) {
    return (size_t)(next_random(&dice) % n);
}

/* ------------------------------------------------------------------------------ what was shown */

static struct {
    const void *at;
    size_t size;
    size_t copy;
} ranges[RANGES_MAX];
static size_t ranges_count;
static uint8_t copies[BYTES_MAX];
static size_t copies_size;

static void see(const void *at, size_t size) {
    if (size == 0 || ranges_count == RANGES_MAX || size > BYTES_MAX - copies_size)
        return;
    ranges[ranges_count].at = at;
    ranges[ranges_count].size = size;
    ranges[ranges_count++].copy = copies_size;
    memcpy(copies + copies_size, at, size);
    copies_size += size;
}

static void see_bytes(wsfan_bytes bytes) {
    see(bytes.data, bytes.size);
}

static void see_text(const char *text) {
    see(text, strlen(text) + 1);
}

static void look_again(callback which) {
    for (size_t i = 0; i < ranges_count; i++)
        ck_assert_msg(memcmp(ranges[i].at, copies + ranges[i].copy, ranges[i].size) == 0,
                      "callback %d: %zu bytes are others now", which, ranges[i].size);
    ranges_count = copies_size = 0;
}

/* -------------------------------------------------------------------------------- what is done */

static wsfan_bytes any_chat(void) {
    static const char *const chats[] = { "lobby, with a name that is long enough to be seen",
                                         "another, of forty-eight bytes or thereabouts, too", "c",
                                         "the fourth" };
    return wsfan_string(chats[below(sizeof chats / sizeof *chats)]);
}

static wsfan_bytes any_user(void) {
    static const char *const users[] = { "ann", "ben", "cid with a name of more than a few bytes" };
    return wsfan_string(users[below(sizeof users / sizeof *users)]);
}

static wsfan_target any_target(void) {
    wsfan_target chat = { WSFAN_CHAT, any_chat() };
    wsfan_target user = { WSFAN_USER, any_user() };
    wsfan_target all = { WSFAN_ALL, { NULL, 0 } };
    return below(3) == 0 ? all : below(2) == 0 ? chat : user;
}

static void open_session(host *h) {
    wsfan_session *place = &h->sessions[below(SESSIONS_MAX)];
    wsfan_session_close(h->loop, *place);
    *place = (wsfan_session){ 0 };
    wsfan_session_open(place, h->loop, any_user(), h);
}

static void join(host *h) {
    wsfan_join_options options = { .struct_size = sizeof options,
                                   .flags = below(2) == 0 ? 0 : WSFAN_PRESENCE,
                                   .metadata = any_user() };
    wsfan_session_join_with(h->loop, h->sessions[below(SESSIONS_MAX)], any_chat(), &options);
}

static void close_all(host *h) {
    for (size_t i = 0; i < SESSIONS_MAX; i++)
        wsfan_session_close(h->loop, h->sessions[i]);
}

static void leave_all(host *h, wsfan_bytes chat) {
    for (size_t i = 0; i < SESSIONS_MAX; i++)
        wsfan_session_leave(h->loop, h->sessions[i], chat);
}

static void publish(host *h) {
    wsfan_target target = any_target();
    wsfan_publish_options options = { .struct_size = sizeof options };
    if (below(2) == 0)
        options.result_loop = h->loop;
    else
        options.key = any_user();
    wsfan_publish(h->node, &target, 1, wsfan_string("something to say"), &options);
}

static void ask(host *h) {
    wsfan_target target = any_target();
    wsfan_request_options options = { .struct_size = sizeof options, .reply_loop = h->loop };
    switch (below(8)) {
    case 0:
        wsfan_remote_join(h->node, &target, 1, any_chat(), &options);
        break;
    case 1:
        wsfan_remote_leave(h->node, &target, 1, any_chat(), &options);
        break;
    case 2:
        wsfan_remote_close(h->node, &target, 1, 4000, any_user(), &options);
        break;
    case 3:
        wsfan_list_sessions(h->node, &target, 1, &options);
        break;
    case 4:
        wsfan_list_chats(h->node, &target, 1, &options);
        break;
    case 5:
        wsfan_list_nodes(h->node, &options);
        break;
    case 6:
        wsfan_list_stats(h->node, &options);
        break;
    default:
        wsfan_node_send(h->node, 0, wsfan_string("are you there?"), &options);
    }
}

static void visit(void *user, const wsfan_member *member) {
    (void)user, (void)member;
}

static void inquire(host *h) {
    wsfan_count count = { .struct_size = sizeof count };
    wsfan_owner owner = { .struct_size = sizeof owner };
    wsfan_stats stats = { .struct_size = sizeof stats };
    wsfan_loop_stats loop_stats = { .struct_size = sizeof loop_stats };
    wsfan_peer_stats peer = { .struct_size = sizeof peer };
    wsfan_endpoint endpoint = { .struct_size = sizeof endpoint };
    wsfan_caller caller = { .struct_size = sizeof caller };
    wsfan_node_state state = { .struct_size = sizeof state };
    wsfan_target target = any_target();
    wsfan_recipient some[4];
    uint64_t cursor = 0;
    size_t found;
    ck_assert_int_eq(wsfan_chat_get_count(h->node, any_chat(), &count), WSFAN_OK);
    ck_assert_int_eq(wsfan_node_get_owner(h->node, any_chat(), &owner), WSFAN_OK);
    ck_assert_int_eq(wsfan_chat_members(h->node, any_chat(), &cursor, 5, visit, NULL), WSFAN_OK);
    ck_assert_int_eq(wsfan_node_get_stats(h->node, &stats), WSFAN_OK);
    ck_assert_int_eq(wsfan_loop_get_stats(h->loop, &loop_stats), WSFAN_OK);
    ck_assert_int_eq(wsfan_node_get_peers(h->node, &peer, 1, &found), WSFAN_OK);
    ck_assert_int_eq(wsfan_node_get_endpoints(h->node, &endpoint, 1, &found), WSFAN_OK);
    ck_assert_int_eq(wsfan_node_get_callers(h->node, &caller, 1, &found), WSFAN_OK);
    ck_assert_int_eq(wsfan_node_get_state(h->node, &state), WSFAN_OK);
    ck_assert_int_eq(wsfan_loop_get_sessions(h->loop, &target, some, 4, &found), WSFAN_OK);
}

static void do_anything(host *h) {
    switch (below(16)) {
    case 0:
    case 1:
    case 2:
        open_session(h);
        break;
    case 3:
    case 4:
    case 5:
    case 6:
    case 7:
        join(h);
        break;
    case 8:
        wsfan_session_leave(h->loop, h->sessions[below(SESSIONS_MAX)], any_chat());
        break;
    case 9:
        if (below(8) == 0)
            close_all(h);
        else if (below(4) == 0)
            leave_all(h, any_chat());
        break;
    case 10:
        wsfan_session_set_metadata(h->loop, h->sessions[below(SESSIONS_MAX)], any_chat(),
                                   any_user());
        break;
    case 11:
    case 12:
        publish(h);
        break;
    case 13:
        ask(h);
        break;
    case 14:
        wsfan_node_reply(h->node, h->token, wsfan_string("yes"));
        break;
    default:
        inquire(h);
    }
}

static void act(void *user, callback which) {
    host *h = user;
    seen[which]++;
    ck_assert_int_eq(wsfan_loop_dispatch(h->loop, 0), WSFAN_EINVAL);
    ck_assert_int_eq(wsfan_loop_close(h->loop), WSFAN_EINVAL);
    for (size_t n = below(6); n > 0 && budget > 0; n--, budget--)
        do_anything(h);
    look_again(which);
}

/* -------------------------------------------------------------------------------- the callbacks */

static void on_message(void *user, wsfan_message *message, const wsfan_recipient *recipients,
                       size_t count) {
    see(recipients, count * sizeof *recipients);
    see_bytes(wsfan_message_payload(message));
    for (size_t i = 0; i < wsfan_message_targets_count(message); i++)
        see_bytes(wsfan_message_target(message, i).name);
    act(user, MESSAGE);
}

/* A chat's name is also what comes first to a host's mind for its next call. */
static void use_name(host *h, wsfan_bytes chat) {
    if (budget-- <= 0 || below(2) == 0)
        return;
    if (below(4) == 0)
        leave_all(h, chat);
    else
        wsfan_session_join(h->loop, h->sessions[below(SESSIONS_MAX)], chat);
}

static void on_joined(void *user, const wsfan_joined *joined) {
    see(joined, sizeof *joined);
    see_bytes(joined->chat);
    see(joined->missing, joined->missing_count * sizeof *joined->missing);
    use_name(user, joined->chat);
    act(user, JOINED);
}

static void on_peer(void *user, const wsfan_peer *peer) {
    see(peer, sizeof *peer);
    see_text(peer->name);
    see_text(peer->endpoint);
    act(user, PEER);
}

static void on_gap(void *user, const wsfan_gap *gap) {
    see(gap, sizeof *gap);
    see_text(gap->name);
    act(user, GAP);
}

static void on_result(void *user, const wsfan_result *result) {
    see(result, sizeof *result);
    see(result->missing, result->missing_count * sizeof *result->missing);
    act(user, RESULT);
}

static void on_owner(void *user, const wsfan_moved *moved) {
    see(moved, sizeof *moved);
    see_bytes(moved->chat);
    see_text(moved->name);
    see_text(moved->public_address);
    see(moved->sessions, moved->sessions_count * sizeof *moved->sessions);
    use_name(user, moved->chat);
    act(user, OWNER);
}

static void on_drain(void *user, const wsfan_recipient *sessions, size_t count) {
    see(sessions, count * sizeof *sessions);
    act(user, DRAIN);
}

static void on_drained(void *user, int status) {
    (void)status;
    ((host *)user)->drained = true;
    act(user, DRAINED);
}

static void on_left(void *user, const wsfan_left *left) {
    see(left, sizeof *left);
    see_bytes(left->chat);
    use_name(user, left->chat);
    act(user, LEFT);
}

static void on_close(void *user, const wsfan_close *close) {
    see(close, sizeof *close);
    see_bytes(close->reason);
    if (below(2) == 0)
        wsfan_session_close(((host *)user)->loop, close->session);
    act(user, CLOSE);
}

static void on_request(void *user, const wsfan_request *request) {
    see(request, sizeof *request);
    see_bytes(request->payload);
    host *h = user;
    h->token = request->token;
    if (below(2) == 0)
        wsfan_node_reply(h->node, request->token, request->payload);
    act(user, REQUEST);
}

static void on_reply(void *user, const wsfan_reply *reply) {
    see(reply, sizeof *reply);
    see(reply->answers, reply->answers_count * sizeof *reply->answers);
    for (size_t i = 0; i < reply->answers_count; i++)
        see_bytes(reply->answers[i].payload);
    see(reply->missing, reply->missing_count * sizeof *reply->missing);
    see(reply->rows, reply->rows_count * sizeof *reply->rows);
    for (size_t i = 0; i < reply->rows_count; i++) {
        see_bytes(reply->rows[i].user);
        see_bytes(reply->rows[i].name);
    }
    see_bytes(reply->next);
    act(user, REPLY);
}

static void on_presence(void *user, const wsfan_presence *presence) {
    see(presence, sizeof *presence);
    see_bytes(presence->chat);
    see(presence->members, presence->members_count * sizeof *presence->members);
    for (size_t i = 0; i < presence->members_count; i++) {
        const wsfan_member *member = &presence->members[i];
        see_bytes(member->user);
        see(member->places, member->places_count * sizeof *member->places);
        for (size_t p = 0; p < member->places_count; p++)
            see_bytes(member->places[p].metadata);
    }
    use_name(user, presence->chat);
    act(user, PRESENCE);
}

static void on_event(void *user, const wsfan_event *event) {
    see(event, sizeof *event);
    see_text(event->code);
    see_text(event->text);
    see_text(event->name);
    see_text(event->endpoint);
    see_text(event->address);
    act(user, EVENT);
}

static const wsfan_callbacks ALL = { .struct_size = sizeof ALL,
                                     .on_message = on_message,
                                     .on_joined = on_joined,
                                     .on_peer = on_peer,
                                     .on_gap = on_gap,
                                     .on_result = on_result,
                                     .on_owner = on_owner,
                                     .on_drain = on_drain,
                                     .on_drained = on_drained,
                                     .on_left = on_left,
                                     .on_close = on_close,
                                     .on_request = on_request,
                                     .on_reply = on_reply,
                                     .on_presence = on_presence,
                                     .on_event = on_event };

/* --------------------------------------------------------------------------------------- lives */

/* Hosts from..to are loops of one node. */
static void start(int from, int to, const char *name, const char *peer) {
    wsfan_options options = quick_options("tcp://127.0.0.1:*");
    wsfan_node *node;
    options.name = name;
    options.public_address = "http://somewhere.example/";
    options.inbox_count_max = 32;
    options.presence_grace_ms = 20;
    options.peers = &peer;
    options.peers_count = peer != NULL ? 1 : 0;
    ck_assert_int_eq(wsfan_node_open(&node, &options), WSFAN_OK);
    for (int i = from; i <= to; i++) {
        hosts[i] = (host){ .node = node };
        ck_assert_int_eq(wsfan_loop_open(&hosts[i].loop, node, &ALL, &hosts[i]), WSFAN_OK);
        live[i] = hosts[i].loop;
    }
}

static void stop(int from, int to) {
    for (int i = from; i <= to; i++) {
        ck_assert_int_eq(wsfan_loop_close(hosts[i].loop), WSFAN_OK);
        live[i] = NULL;
    }
    ck_assert_int_eq(wsfan_node_close(hosts[from].node), WSFAN_OK);
}

static bool linked(int i) {
    wsfan_stats stats = { .struct_size = sizeof stats };
    ck_assert_int_eq(wsfan_node_get_stats(hosts[i].node, &stats), WSFAN_OK);
    return stats.peers_up == 1;
}

static void live_on(unsigned rounds, int count) {
    for (unsigned r = 0; r < rounds; r++) {
        budget = 60;
        for (int n = 0; n < 8; n++)
            do_anything(&hosts[below((size_t)count)]);
        for (size_t n = below(10) == 0 ? 50 : 0; n > 0; n--) /* more than an inbox takes */
            publish(&hosts[0]);
        dispatch_all();
    }
}

static void live_once(uint64_t seed) {
    dice = seed;
    live_messages_max = seed % 3 == 0 ? 2 : 0;
    start(0, 1, "first", NULL);
    for (int times = 0; times < 3; times++) { /* owners change twice each time */
        start(2, 2, "second", wsfan_node_endpoint(hosts[0].node));
        WAIT(linked(0) && linked(2));
        live_on(20, LOOPS);
        stop(2, 2);
        WAIT(!linked(0));
        live_on(10, LOOPS - 1);
    }
    budget = 60;
    for (int n = 0; n < 8; n++)
        open_session(&hosts[below(2)]);
    ck_assert_int_eq(wsfan_node_drain(hosts[0].node, 40), WSFAN_OK);
    WAIT(hosts[0].drained && hosts[1].drained);
    stop(0, 1);
}

START_TEST(no_callback_is_left_out) {
    for (size_t at = offsetof(wsfan_callbacks, on_message); at < sizeof ALL;
         at += sizeof ALL.on_gap) {
        void (*called)(void);
        memcpy(&called, (const char *)&ALL + at, sizeof called);
        ck_assert_msg(called != NULL, "the one at %zu", at);
    }
}
END_TEST

static bool saw_all(void) {
    for (int i = 0; i < CALLBACKS; i++)
        if (seen[i] == 0)
            return false;
    return true;
}

START_TEST(whatever_a_callback_is_shown_lives_until_it_returns) {
    int64_t deadline = now_ms() + DEADLINE_MS;
    for (uint64_t seed = 1; seed <= LIVES || !saw_all(); seed++) {
        ck_assert_msg(now_ms() < deadline, "not every callback has run");
        live_once(seed);
    }
}
END_TEST

SUITE_MAIN("callbacks", no_callback_is_left_out,
           whatever_a_callback_is_shown_lives_until_it_returns)
