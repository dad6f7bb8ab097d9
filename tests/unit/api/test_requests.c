/* Requests on one node without a mesh: the same path as with peers, and each limit. */
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <wsfan/requests.h>
#include <wsfan/stats.h>
#include <wsfan/wsfan.h>

#include "now.h"
#include "suite.h"

enum { DEADLINE_MS = 20000, LOOPS_MAX = 3, ROWS_MAX = 100 };

typedef struct {
    wsfan_loop *loop;
    bool close_at_once;
    bool stalled;
    unsigned messages;
    unsigned recipients;
    unsigned joined;
    unsigned left;
    unsigned closed;
    uint16_t close_code;
    char close_reason[124];
    unsigned requests;
    uint64_t token;
} host_loop;

typedef struct {
    unsigned replies;
    wsfan_reply last; /* without what it points to */
    wsfan_row rows[ROWS_MAX];
    char names[ROWS_MAX][32];
    char users[ROWS_MAX][32];
    char next[64];
    size_t next_size;
    char payload[64];
    int answer_status;
    uint64_t missing;
} outcome;

static const wsfan_bytes NOTHING = { NULL, 0 };
static wsfan_node *node;
static host_loop loops[LOOPS_MAX];
static outcome seen;

static void on_message(void *user, wsfan_message *message, const wsfan_recipient *recipients,
                       size_t count) {
    (void)message, (void)recipients;
    ((host_loop *)user)->messages++;
    ((host_loop *)user)->recipients += (unsigned)count;
}

static void on_joined(void *user, const wsfan_joined *joined) {
    ck_assert_int_eq(joined->status, WSFAN_OK);
    ((host_loop *)user)->joined++;
}

static void on_left(void *user, const wsfan_left *left) {
    ck_assert_mem_eq(left->chat.data, "chat", 4);
    ((host_loop *)user)->left++;
}

static void keep_text(char *out, size_t capacity, wsfan_bytes text) {
    size_t size = text.size < capacity ? text.size : capacity - 1;
    if (size > 0)
        memcpy(out, text.data, size);
    out[size] = '\0';
}

static void on_close(void *user, const wsfan_close *close) {
    host_loop *l = user;
    l->closed++;
    l->close_code = close->code;
    keep_text(l->close_reason, sizeof l->close_reason, close->reason);
    if (l->close_at_once)
        ck_assert_int_eq(wsfan_session_close(l->loop, close->session), WSFAN_OK);
}

static void on_request(void *user, const wsfan_request *request) {
    host_loop *l = user;
    ck_assert_uint_eq(request->node, wsfan_node_id(node));
    l->requests++;
    l->token = request->token;
    if (request->payload.size == 4 && memcmp(request->payload.data, "echo", 4) == 0)
        ck_assert_int_eq(wsfan_node_reply(node, request->token, request->payload), WSFAN_OK);
}

static void on_reply(void *user, const wsfan_reply *reply) {
    (void)user;
    seen.replies++;
    seen.last = *reply;
    for (size_t i = 0; i < reply->rows_count && i < ROWS_MAX; i++) {
        seen.rows[i] = reply->rows[i];
        keep_text(seen.names[i], sizeof seen.names[i], reply->rows[i].name);
        keep_text(seen.users[i], sizeof seen.users[i], reply->rows[i].user);
    }
    keep_text(seen.next, sizeof seen.next, reply->next);
    seen.next_size = reply->next.size;
    keep_text(seen.payload, sizeof seen.payload, NOTHING);
    if (reply->answers_count > 0) {
        keep_text(seen.payload, sizeof seen.payload, reply->answers[0].payload);
        seen.answer_status = reply->answers[0].status;
    }
    seen.missing = reply->missing_count > 0 ? reply->missing[0] : 0;
}

static const wsfan_callbacks CALLBACKS = { .struct_size = sizeof CALLBACKS,
                                           .on_message = on_message,
                                           .on_joined = on_joined,
                                           .on_left = on_left,
                                           .on_close = on_close,
                                           .on_request = on_request,
                                           .on_reply = on_reply };

static void begin_with(const wsfan_options *options, int count, const wsfan_callbacks *callbacks) {
    memset(&seen, 0, sizeof seen);
    memset(loops, 0, sizeof loops);
    ck_assert_int_eq(wsfan_node_open(&node, options), WSFAN_OK);
    for (int i = 0; i < count; i++)
        ck_assert_int_eq(wsfan_loop_open(&loops[i].loop, node, callbacks, &loops[i]), WSFAN_OK);
}

static void begin(int count) {
    wsfan_options options;
    wsfan_options_init(&options);
    begin_with(&options, count, &CALLBACKS);
}

static void end(void) {
    for (int i = 0; i < LOOPS_MAX; i++)
        ck_assert_int_eq(wsfan_loop_close(loops[i].loop), WSFAN_OK);
    ck_assert_int_eq(wsfan_node_close(node), WSFAN_OK);
}

static void dispatch(void) {
    struct pollfd items[LOOPS_MAX];
    nfds_t count = 0;
    for (int i = 0; i < LOOPS_MAX; i++)
        if (loops[i].loop != NULL && !loops[i].stalled)
            items[count++] = (struct pollfd){ wsfan_loop_fd(loops[i].loop), POLLIN, 0 };
    poll(items, count, 50);
    for (int i = 0; i < LOOPS_MAX; i++)
        if (loops[i].loop != NULL && !loops[i].stalled)
            ck_assert_int_ge(wsfan_loop_dispatch(loops[i].loop, 0), 0);
}

static void wait_for(const unsigned *counter, unsigned value) {
    for (int64_t until_ms = now_ms() + DEADLINE_MS; *counter < value && now_ms() < until_ms;)
        dispatch();
    ck_assert_uint_ge(*counter, value);
}

static wsfan_request_options ask(void) {
    return (wsfan_request_options){ .struct_size = sizeof(wsfan_request_options),
                                    .reply_loop = loops[0].loop };
}

static void await(int error) {
    unsigned before = seen.replies;
    ck_assert_int_eq(error, WSFAN_OK);
    wait_for(&seen.replies, before + 1);
}

static wsfan_session open_in(int loop, const char *user, const char *chat) {
    wsfan_session session;
    unsigned before = loops[loop].joined;
    ck_assert_int_eq(
        wsfan_session_open(&session, loops[loop].loop, wsfan_string(user), &loops[loop]), WSFAN_OK);
    if (chat != NULL) {
        ck_assert_int_eq(wsfan_session_join(loops[loop].loop, session, wsfan_string(chat)),
                         WSFAN_OK);
        wait_for(&loops[loop].joined, before + 1);
    }
    return session;
}

static wsfan_target of(wsfan_target_kind kind, const char *name) {
    return (wsfan_target){ kind, wsfan_string(name) };
}

START_TEST(a_users_sessions_on_every_loop_join_and_hear_the_chat_and_leave_it) {
    begin(3);
    wsfan_request_options options = ask();
    wsfan_target ann = of(WSFAN_USER, "ann");
    open_in(0, "ann", "chat"); /* in it already */
    open_in(1, "ann", NULL);
    open_in(1, "bob", NULL);
    open_in(2, "ann", NULL);
    await(wsfan_remote_join(node, &ann, 1, wsfan_string("chat"), &options));
    ck_assert_int_eq(seen.last.status, WSFAN_OK);
    ck_assert_uint_eq(seen.last.sessions, 3);
    ck_assert_uint_eq(seen.last.answers_count, 1);
    wait_for(&loops[1].joined, 1);
    wait_for(&loops[2].joined, 1);
    ck_assert_int_eq(wsfan_broadcast(node, wsfan_string("chat"), wsfan_string("x"), NULL),
                     WSFAN_OK);
    for (int i = 0; i < 3; i++)
        wait_for(&loops[i].recipients, 1);
    await(wsfan_remote_leave(node, &ann, 1, wsfan_string("chat"), &options));
    ck_assert_uint_eq(seen.last.sessions, 3);
    ck_assert_uint_eq(loops[0].left + loops[1].left + loops[2].left, 3);
    await(wsfan_remote_leave(node, &ann, 1, wsfan_string("chat"), &options));
    ck_assert_int_eq(seen.last.status, WSFAN_OK);
    ck_assert_uint_eq(seen.last.sessions, 0);
    end();
}
END_TEST

START_TEST(a_join_counts_the_sessions_that_reached_a_limit) {
    wsfan_options options;
    wsfan_options_init(&options);
    options.chats_per_session_count_max = 1;
    begin_with(&options, 1, &CALLBACKS);
    open_in(0, "ann", "other");
    open_in(0, "ann", NULL);
    wsfan_request_options request = ask();
    wsfan_target ann = of(WSFAN_USER, "ann");
    await(wsfan_remote_join(node, &ann, 1, wsfan_string("chat"), &request));
    ck_assert_uint_eq(seen.last.sessions, 1);
    ck_assert_uint_eq(seen.last.sessions_failed, 1);
    end();
}
END_TEST

START_TEST(a_close_reaches_the_host_with_its_code_and_reason) {
    begin(2);
    loops[0].close_at_once = true;
    wsfan_request_options options = ask();
    wsfan_session session = open_in(0, "ann", NULL);
    open_in(1, "ann", NULL);
    char name[WSFAN_ADDRESS_TEXT_SIZE];
    wsfan_address_text(wsfan_session_address(loops[0].loop, session), name);
    wsfan_target targets[] = { of(WSFAN_SESSION, name) };
    await(wsfan_remote_close(node, targets, 1, 4001, wsfan_string("go away"), &options));
    ck_assert_uint_eq(seen.last.sessions, 1);
    ck_assert_uint_eq(loops[0].closed, 1);
    ck_assert_uint_eq(loops[0].close_code, 4001);
    ck_assert_str_eq(loops[0].close_reason, "go away");
    ck_assert_uint_eq(loops[1].closed, 0);
    await(wsfan_remote_close(node, targets, 1, 4001, wsfan_string(""), &options));
    ck_assert_uint_eq(seen.last.sessions, 0); /* it is closed */
    targets[0] = of(WSFAN_SESSION, "00000000000000ab-0000000000000001");
    await(wsfan_remote_close(node, targets, 1, 4001, wsfan_string(""), &options));
    ck_assert_int_eq(seen.last.status, WSFAN_EPARTIAL); /* nobody knows that node */
    ck_assert_uint_eq(seen.missing, 0xab);
    end();
}
END_TEST

START_TEST(only_codes_that_a_close_frame_may_carry_are_taken) {
    static const struct {
        uint16_t from, to; /* RFC 6455, section 7.4, and IANA's registry */
        bool good;
    } ranges[] = { { 0, 999, false },     { 1000, 1003, true },  { 1004, 1006, false },
                   { 1007, 1014, true },  { 1015, 2999, false }, { 3000, 4999, true },
                   { 5000, 65535, false } };
    begin(1);
    wsfan_target nobody = of(WSFAN_USER, "nobody");
    for (size_t i = 0; i < sizeof ranges / sizeof *ranges; i++)
        for (uint32_t code = ranges[i].from; code <= ranges[i].to; code++) {
            int error;
            do { /* until the mesh thread has taken those before it */
                error = wsfan_remote_close(node, &nobody, 1, (uint16_t)code, wsfan_string(""),
                                           NULL);
            } while (error == WSFAN_EAGAIN);
            ck_assert_msg(error == (ranges[i].good ? WSFAN_OK : WSFAN_EINVAL), "%u", code);
        }
    end();
}
END_TEST

START_TEST(a_host_that_cannot_be_asked_says_so) {
    static const wsfan_callbacks some = { .struct_size = sizeof some, .on_reply = on_reply };
    wsfan_options defaults;
    wsfan_options_init(&defaults);
    begin_with(&defaults, 1, &some);
    wsfan_request_options options = ask();
    wsfan_target ann = of(WSFAN_USER, "ann");
    open_in(0, "ann", NULL);
    await(wsfan_remote_close(node, &ann, 1, 1000, wsfan_string(""), &options));
    ck_assert_int_eq(seen.last.status, WSFAN_EPARTIAL);
    ck_assert_int_eq(seen.answer_status, WSFAN_ENOTSUP);
    ck_assert_uint_eq(seen.missing, wsfan_node_id(node));
    await(wsfan_node_send(node, 0, wsfan_string("echo"), &options));
    ck_assert_int_eq(seen.answer_status, WSFAN_ENOTSUP);
    end();
}
END_TEST

START_TEST(lists_show_sessions_chats_and_nodes) {
    begin(2);
    wsfan_request_options options = ask();
    wsfan_session a = open_in(0, "ann", "y");
    ck_assert_int_eq(wsfan_session_join(loops[0].loop, a, wsfan_string("x")), WSFAN_OK);
    open_in(1, "ann", "y");
    open_in(1, "bob", NULL);
    wsfan_target ann = of(WSFAN_USER, "ann");
    await(wsfan_list_sessions(node, &ann, 1, &options));
    ck_assert_int_eq(seen.last.status, WSFAN_OK);
    ck_assert_uint_eq(seen.last.rows_count, 3);
    ck_assert_uint_eq(seen.rows[0].address.node, wsfan_node_id(node));
    ck_assert_uint_eq(seen.rows[0].address.session, a.id);
    ck_assert_uint_eq(seen.rows[1].address.session, a.id);
    ck_assert_str_eq(seen.names[0], "x");
    ck_assert_str_eq(seen.names[1], "y");
    ck_assert_str_eq(seen.users[2], "ann");
    await(wsfan_list_chats(node, &ann, 1, &options));
    ck_assert_uint_eq(seen.last.rows_count, 2);
    ck_assert_str_eq(seen.names[1], "y");
    ck_assert_uint_eq(seen.rows[1].sessions, 2); /* of both loops, in one row */
    wsfan_target all[] = { { WSFAN_ALL, { NULL, 0 } }, of(WSFAN_NOT_CHAT, "x") };
    await(wsfan_list_sessions(node, all, 2, &options));
    ck_assert_uint_eq(seen.last.rows_count, 2);
    ck_assert_str_eq(seen.users[1], "bob");
    ck_assert_str_eq(seen.names[1], ""); /* it is in no chat */
    await(wsfan_list_nodes(node, &options));
    ck_assert_uint_eq(seen.last.rows_count, 1);
    ck_assert_uint_eq(seen.rows[0].address.node, wsfan_node_id(node));
    ck_assert_uint_eq(seen.rows[0].address.session, 0);
    ck_assert_str_eq(seen.names[0], wsfan_node_name(node));
    ck_assert_uint_eq(seen.rows[0].sessions, 3);
    end();
}
END_TEST

/* More chats than one slice, read in pages of a thousand. */
START_TEST(a_list_goes_on_where_its_page_ended) {
    enum { CHATS = 20000, PAGE = 1000 };
    wsfan_options defaults;
    wsfan_options_init(&defaults);
    defaults.chats_per_session_count_max = 65535;
    begin_with(&defaults, 2, &CALLBACKS);
    wsfan_request_options options = ask();
    wsfan_session sessions[2] = { open_in(0, "ann", NULL), open_in(1, "ann", NULL) };
    for (int i = 0; i < CHATS; i++) {
        char name[16];
        snprintf(name, sizeof name, "chat %05d", i);
        ck_assert_int_eq(wsfan_session_join(loops[i % 2].loop, sessions[i % 2], wsfan_string(name)),
                         WSFAN_OK);
    }
    wsfan_target all = { WSFAN_ALL, { NULL, 0 } };
    unsigned rows = 0;
    unsigned pages = 0;
    options.rows_max = PAGE;
    do {
        await(wsfan_list_chats(node, &all, 1, &options));
        ck_assert_int_eq(seen.last.status, WSFAN_OK);
        for (size_t i = 0; i < seen.last.rows_count; i++, rows++) {
            char name[16];
            snprintf(name, sizeof name, "chat %05u", rows);
            if (i < ROWS_MAX)
                ck_assert_str_eq(seen.names[i], name);
        }
        options.after = (wsfan_bytes){ seen.next, seen.next_size };
        pages++;
    } while (seen.next_size > 0);
    ck_assert_uint_eq(rows, CHATS);
    ck_assert_uint_eq(pages, CHATS / PAGE);
    options.after = (wsfan_bytes){ NULL, 0 };
    options.rows_max = 1;
    await(wsfan_list_sessions(node, &all, 1, &options));
    ck_assert_uint_eq(seen.last.rows_count, 1);
    ck_assert_uint_gt(seen.next_size, 0);
    end();
}
END_TEST

START_TEST(a_message_to_a_node_is_answered_or_its_silence_is_told_in_time) {
    begin(2);
    wsfan_request_options options = ask();
    await(wsfan_node_send(node, wsfan_node_id(node), wsfan_string("echo"), &options));
    ck_assert_int_eq(seen.last.status, WSFAN_OK);
    ck_assert_str_eq(seen.payload, "echo");
    ck_assert_uint_eq(loops[0].requests, 1); /* the loop that was opened first */
    ck_assert_uint_eq(loops[1].requests, 0);
    options.ms_max = 50;
    await(wsfan_node_send(node, 0, wsfan_string("no reply"), &options));
    ck_assert_int_eq(seen.last.status, WSFAN_EPARTIAL);
    ck_assert_int_eq(seen.answer_status, WSFAN_ESILENT);
    ck_assert_uint_eq(seen.missing, wsfan_node_id(node));
    ck_assert_int_eq(wsfan_node_reply(node, loops[0].token, wsfan_string("late")), WSFAN_OK);
    ck_assert_int_eq(wsfan_node_reply(node, 12345, wsfan_string("to nobody")), WSFAN_OK);
    await(wsfan_node_send(node, 77, wsfan_string("echo"), &options));
    ck_assert_uint_eq(seen.missing, 77);
    end();
}
END_TEST

START_TEST(a_loop_that_stalls_is_a_node_that_is_silent_and_then_does_not_begin) {
    begin(2);
    wsfan_request_options options = ask();
    options.ms_max = 50;
    open_in(1, "ann", NULL);
    wsfan_target ann = of(WSFAN_USER, "ann");
    loops[1].stalled = true;
    await(wsfan_remote_join(node, &ann, 1, wsfan_string("chat"), &options));
    ck_assert_int_eq(seen.last.status, WSFAN_EPARTIAL);
    ck_assert_int_eq(seen.answer_status, WSFAN_ESILENT);
    loops[1].stalled = false;
    options.ms_max = 0;
    await(wsfan_list_chats(node, &ann, 1, &options));
    ck_assert_uint_eq(seen.last.rows_count, 0);
    end();
}
END_TEST

START_TEST(a_loop_that_closes_has_done_nothing_and_holds_nobody_up) {
    begin(2);
    wsfan_request_options options = ask();
    open_in(0, "ann", NULL);
    open_in(1, "ann", NULL);
    wsfan_target ann = of(WSFAN_USER, "ann");
    loops[1].stalled = true;
    ck_assert_int_eq(wsfan_remote_join(node, &ann, 1, wsfan_string("chat"), &options), WSFAN_OK);
    wait_for(&loops[0].joined, 1);
    ck_assert_int_eq(wsfan_loop_close(loops[1].loop), WSFAN_OK);
    loops[1].loop = NULL;
    wait_for(&seen.replies, 1);
    ck_assert_int_eq(seen.last.status, WSFAN_OK);
    ck_assert_uint_eq(seen.last.sessions, 1);
    /* And with one of its own under way. */
    ck_assert_int_eq(wsfan_node_send(node, 0, wsfan_string("no reply"), &options), WSFAN_OK);
    end();
}
END_TEST

START_TEST(no_more_requests_are_open_than_allowed) {
    wsfan_options options;
    wsfan_options_init(&options);
    options.requests_count_max = 3;
    options.request_ms_max = 200;
    begin_with(&options, 1, &CALLBACKS);
    wsfan_request_options request = ask();
    for (int i = 0; i < 3; i++)
        ck_assert_int_eq(wsfan_node_send(node, 0, wsfan_string("no reply"), &request), WSFAN_OK);
    ck_assert_int_eq(wsfan_node_send(node, 0, wsfan_string("no reply"), &request), WSFAN_ELIMIT);
    request.reply_loop = NULL; /* nobody is told, but the node itself is at no more than three */
    ck_assert_int_eq(wsfan_node_send(node, 0, wsfan_string("no reply"), &request), WSFAN_OK);
    wait_for(&seen.replies, 3);
    wsfan_stats stats = { .struct_size = sizeof stats };
    ck_assert_int_eq(wsfan_node_get_stats(node, &stats), WSFAN_OK);
    ck_assert_uint_eq(stats.requests, 4);
    ck_assert_uint_eq(stats.requests_taken, 3);
    ck_assert_uint_eq(stats.requests_refused, 1);
    ck_assert_uint_eq(stats.requests_pending, 0);
    ck_assert_uint_eq(stats.requests_partial, 4);
    request = ask();
    await(wsfan_node_send(node, 0, wsfan_string("echo"), &request));
    ck_assert_int_eq(seen.last.status, WSFAN_OK);
    end();
}
END_TEST

START_TEST(arguments_of_requests_are_checked) {
    static char bytes[2000];
    wsfan_options limits;
    wsfan_options_init(&limits);
    limits.name_bytes_max = 20;
    limits.payload_bytes_max = 1000;
    limits.request_ms_max = 100;
    begin_with(&limits, 1, &CALLBACKS);
    wsfan_target all = { WSFAN_ALL, { NULL, 0 } };
    wsfan_target nobody = of(WSFAN_NOT_CHAT, "x");
    wsfan_target unreadable = of(WSFAN_SESSION, "x");
    wsfan_bytes chat = wsfan_string("chat");
    wsfan_request_options o = ask();
    ck_assert_int_eq(wsfan_remote_join(node, &nobody, 1, chat, &o), WSFAN_EINVAL);
    ck_assert_int_eq(wsfan_remote_join(node, &unreadable, 1, chat, &o), WSFAN_EINVAL);
    ck_assert_int_eq(wsfan_remote_join(node, &all, 0, chat, &o), WSFAN_EINVAL);
    ck_assert_int_eq(wsfan_remote_join(NULL, &all, 1, chat, &o), WSFAN_EINVAL);
    ck_assert_int_eq(wsfan_remote_join(node, &all, 1, wsfan_string(""), &o), WSFAN_EINVAL);
    ck_assert_int_eq(wsfan_remote_join(node, &all, 1, (wsfan_bytes){ bytes, 20 }, &o), WSFAN_OK);
    ck_assert_int_eq(wsfan_remote_join(node, &all, 1, (wsfan_bytes){ bytes, 21 }, &o),
                     WSFAN_ETOOBIG);
    ck_assert_int_eq(wsfan_remote_leave(node, &all, 1, (wsfan_bytes){ NULL, 1 }, &o), WSFAN_EINVAL);
    wsfan_bytes reason = { bytes, 123 };
    ck_assert_int_eq(wsfan_remote_close(node, &all, 1, 1000, reason, &o), WSFAN_OK);
    ck_assert_int_eq(wsfan_remote_close(node, &all, 1, 4999, reason, &o), WSFAN_OK);
    ck_assert_int_eq(wsfan_remote_close(node, &all, 1, 1000, wsfan_string("\xff"), &o),
                     WSFAN_EINVAL);
    ck_assert_int_eq(wsfan_remote_close(node, &all, 1, 1000, (wsfan_bytes){ NULL, 1 }, &o),
                     WSFAN_EINVAL);
    reason.size = 124;
    ck_assert_int_eq(wsfan_remote_close(node, &all, 1, 1000, reason, &o), WSFAN_ETOOBIG);
    ck_assert_int_eq(wsfan_node_send(node, 0, (wsfan_bytes){ bytes, 1000 }, &o), WSFAN_OK);
    ck_assert_int_eq(wsfan_node_send(node, 0, (wsfan_bytes){ bytes, 1001 }, &o), WSFAN_ETOOBIG);
    ck_assert_int_eq(wsfan_node_reply(node, 1, (wsfan_bytes){ bytes, 1001 }), WSFAN_ETOOBIG);
    ck_assert_int_eq(wsfan_node_reply(node, 1, (wsfan_bytes){ NULL, 1 }), WSFAN_EINVAL);
    o.ms_max = 101;
    ck_assert_int_eq(wsfan_list_nodes(node, &o), WSFAN_EINVAL);
    o.ms_max = 100;
    o.rows_max = WSFAN_ROWS_COUNT_MAX;
    ck_assert_int_eq(wsfan_list_nodes(node, &o), WSFAN_OK);
    o.rows_max++;
    ck_assert_int_eq(wsfan_list_nodes(node, &o), WSFAN_EINVAL);
    o = ask();
    o.reply_loop = NULL;
    ck_assert_int_eq(wsfan_list_nodes(node, &o), WSFAN_EINVAL);
    ck_assert_int_eq(wsfan_list_nodes(node, NULL), WSFAN_EINVAL);
    ck_assert_int_eq(wsfan_remote_leave(node, &all, 1, chat, NULL), WSFAN_OK);
    o.struct_size = SIZE_MAX;
    ck_assert_int_eq(wsfan_remote_leave(node, &all, 1, chat, &o), WSFAN_EINVAL);
    end();
}
END_TEST

SUITE_MAIN("requests", a_users_sessions_on_every_loop_join_and_hear_the_chat_and_leave_it,
           a_join_counts_the_sessions_that_reached_a_limit,
           a_close_reaches_the_host_with_its_code_and_reason,
           only_codes_that_a_close_frame_may_carry_are_taken, a_host_that_cannot_be_asked_says_so,
           lists_show_sessions_chats_and_nodes, a_list_goes_on_where_its_page_ended,
           a_message_to_a_node_is_answered_or_its_silence_is_told_in_time,
           a_loop_that_stalls_is_a_node_that_is_silent_and_then_does_not_begin,
           a_loop_that_closes_has_done_nothing_and_holds_nobody_up,
           no_more_requests_are_open_than_allowed, arguments_of_requests_are_checked)
