/* Sessions that join with history, on one loop: the test is the core that answers their recoveries. */
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <wsfan/wsfan.h>

#include "base/memory.h"
#include "loop/state.h"
#include "mesh/state.h"
#include "runs.h"

enum { EVENTS_MAX = 4096, AWAY_MAX = 256, SESSIONS = 4, ORIGIN = 77 };

typedef struct {
    unsigned session; /* its number here */
    bool joined;      /* else a message */
    wsfan_recovery verdict;
    uint32_t replayed_count;
    int status;
    size_t missing_count;
    uint32_t number; /* of the message */
    bool replayed;
} event;

static wsfan_node *node;
static wsfan_loop *loop;
static wsfan_session sessions[SESSIONS];
static event events[EVENTS_MAX];
static unsigned events_count;
static uint64_t gap;
static wsf_recovery *away[AWAY_MAX]; /* that the core has */
static unsigned away_count;
static void (*then)(const event *e); /* in each callback */

static void note(event e) {
    ck_assert_uint_lt(events_count, EVENTS_MAX);
    events[events_count++] = e;
    if (then != NULL)
        then(&events[events_count - 1]);
}

static void on_joined(void *user, const wsfan_joined *joined) {
    (void)user;
    event e = { .session = (unsigned)(uintptr_t)joined->session_user,
                .joined = true,
                .status = joined->status,
                .missing_count = joined->missing_count };
    if (joined->recovered != NULL) {
        e.verdict = joined->recovered->recovery;
        e.replayed_count = joined->recovered->replayed_count;
    }
    for (size_t i = 0; i < joined->missing_count; i++)
        ck_assert_uint_eq(joined->missing[i], 1000 + i);
    note(e);
}

static uint32_t number_in(const wsfan_message *message) {
    uint32_t number;
    ck_assert_uint_eq(wsfan_message_payload(message).size % 1000, sizeof number);
    memcpy(&number, wsfan_message_payload(message).data, sizeof number);
    return number;
}

static void on_message(void *user, wsfan_message *message, const wsfan_recipient *recipients,
                       size_t count) {
    (void)user;
    wsfan_recipient all[SESSIONS];
    uint32_t number = number_in(message);
    bool replayed = (wsfan_message_flags(message) & WSFAN_REPLAYED) != 0;
    ck_assert_ptr_nonnull(wsfan_message_headroom(message, 8));
    ck_assert_uint_le(count, SESSIONS);
    memcpy(all, recipients, count * sizeof *all);
    for (size_t i = 0; i < count; i++)
        note((event){ .session = (unsigned)(uintptr_t)all[i].session_user,
                      .number = number,
                      .replayed = replayed });
}

static void on_gap(void *user, const wsfan_gap *told) {
    (void)user;
    gap += told->count;
}

static void on_recover(void *user, wsf_recovery *recovery) {
    (void)user;
    ck_assert_uint_lt(away_count, AWAY_MAX);
    away[away_count++] = recovery;
}

static void dispatch(uint32_t max) {
    ck_assert_int_ge(wsfan_loop_dispatch(loop, max), 0);
}

static void dispatch_all(void) {
    while (wsfan_loop_dispatch(loop, 0) > 0)
        ;
}

static void open_session(unsigned i) {
    ck_assert_int_eq(
        wsfan_session_open(&sessions[i], loop, wsfan_string("u"), (void *)(uintptr_t)i), WSFAN_OK);
}

/* The node is one without history, which is why its mesh has no thread; the loop is told that it has some. */
static void begin(bool history) {
    static wsf_hash_seal_key key;
    static const wsfan_callbacks callbacks = { .struct_size = sizeof callbacks,
                                               .on_message = on_message,
                                               .on_joined = on_joined,
                                               .on_gap = on_gap };
    wsfan_options options;
    wsfan_options_init(&options);
    options.headroom_bytes = 8;
    options.inbox_count_max = 64;
    events_count = away_count = 0;
    gap = 0;
    then = NULL;
    ck_assert_int_eq(wsfan_node_open(&node, &options), WSFAN_OK);
    ck_assert_int_eq(wsfan_loop_open(&loop, node, &callbacks, NULL), WSFAN_OK);
    loop->subscriptions.effects.recover = on_recover;
    wsf_hash_seal_key_init(&key, wsfan_string("sixteen bytes or more"), "test");
    loop->node.position_key = loop->positions.key = history ? &key : NULL;
    for (unsigned i = 0; i < SESSIONS; i++)
        open_session(i);
}

static void end(void) {
    while (away_count > 0)
        wsf_recovery_free(away[--away_count]);
    ck_assert_int_eq(wsfan_loop_close(loop), WSFAN_OK);
    ck_assert_int_eq(wsfan_node_close(node), WSFAN_OK);
}

static int join_with_history(unsigned i, const char *chat, const char *position) {
    wsfan_join_options options = { .struct_size = sizeof options,
                                   .flags = WSFAN_HISTORY,
                                   .position = wsfan_string(position) };
    return wsfan_session_join_with(loop, sessions[i], wsfan_string(chat), &options);
}

static void join(unsigned i, const char *chat) {
    ck_assert_int_eq(wsfan_session_join(loop, sessions[i], wsfan_string(chat)), WSFAN_OK);
}

static void leave(unsigned i, const char *chat) {
    ck_assert_int_eq(wsfan_session_leave(loop, sessions[i], wsfan_string(chat)), WSFAN_OK);
}

static void publish(const char *chat, uint32_t number) {
    wsfan_bytes payload = { &number, sizeof number };
    ck_assert_int_eq(wsfan_broadcast(node, wsfan_string(chat), payload, NULL), WSFAN_OK);
}

/* Messages with the numbers from..to, as an archive copies them; each 5th one is large. */
static wsf_kept_list *list_of(const char *chat, uint32_t from, uint32_t to) {
    enum { ROOM = 2048 };
    static uint64_t room[64][ROOM / sizeof(uint64_t)];
    static wsf_kept_ref refs[128];
    uint32_t count = to - from + 1;
    wsfan_target target = { WSFAN_CHAT, wsfan_string(chat) };
    ck_assert_uint_le(count, 64);
    for (uint32_t i = 0; i < count; i++) {
        uint8_t payload[1004] = { 0 };
        uint32_t number = from + i;
        memcpy(payload, &number, sizeof number);
        wsf_kept kept = { .id = { number, ORIGIN },
                          .parts = { .targets = &target,
                                     .targets_count = 1,
                                     .payload = { payload, number % 5 == 0 ? 1004 : 4 } } };
        wsf_kept_write((uint8_t *)room[i], &kept, true, 0);
        refs[i] = (wsf_kept_ref){ kept.id, (uint8_t *)room[i] };
    }
    return wsf_kept_list_new(refs, count, target.name, 0);
}

/* The mesh begins without a thread, but has one as soon as something is to be done later. */
static void lock_mesh(void) {
    pthread_mutex_lock(&loop->node.mesh->lock);
}

static void unlock_mesh(void) {
    pthread_mutex_unlock(&loop->node.mesh->lock);
}

/* The core's answer to the i-th recovery that is away. */
static void answer(unsigned i, wsfan_recovery verdict, wsf_kept_list *list) {
    ck_assert_uint_lt(i, away_count);
    wsf_recovery *recovery = away[i];
    away[i] = away[--away_count];
    recovery->verdict = verdict;
    recovery->list = list;
    wsf_vector_init(&recovery->seen, 0);
    lock_mesh();
    wsf_inbox_put_recovered(loop->inbox, recovery);
    unlock_mesh();
}

/* Which of the recoveries that are away is the session's. */
static unsigned away_of(unsigned session) {
    unsigned i = 0;
    while (i < away_count && away[i]->session.id != sessions[session].id)
        i++;
    return i;
}

static void check_joined(unsigned at, unsigned session, wsfan_recovery verdict, uint32_t count) {
    ck_assert_uint_lt(at, events_count);
    ck_assert(events[at].joined);
    ck_assert_uint_eq(events[at].session, session);
    ck_assert_int_eq(events[at].verdict, verdict);
    ck_assert_uint_eq(events[at].replayed_count, count);
}

static void check_message(unsigned at, unsigned session, uint32_t number, bool replayed) {
    ck_assert_uint_lt(at, events_count);
    ck_assert(!events[at].joined);
    ck_assert_uint_eq(events[at].session, session);
    ck_assert_uint_eq(events[at].number, number);
    ck_assert_int_eq(events[at].replayed, replayed);
}

START_TEST(what_was_missed_comes_after_on_joined_and_before_what_is_live) {
    begin(true);
    join(1, "x");
    dispatch_all();
    events_count = 0;
    wsfan_join_options options = { .struct_size = sizeof options,
                                   .flags = WSFAN_HISTORY,
                                   .position = wsfan_string("p"),
                                   .rewind_count = 7,
                                   .former = { 5, 6 } };
    ck_assert_int_eq(wsfan_session_join_with(loop, sessions[0], wsfan_string("x"), &options),
                     WSFAN_OK);
    dispatch_all();
    ck_assert_uint_eq(events_count, 0); /* on_joined waits for the verdict */
    ck_assert_uint_eq(away_count, 1);
    ck_assert_uint_eq(away[0]->rewind_count, 7);
    ck_assert_uint_eq(away[0]->former.session, 6);
    ck_assert_mem_eq(wsf_recovery_chat(away[0]).data, "x", 1);
    ck_assert_mem_eq(wsf_recovery_position(away[0]).data, "p", 1);
    publish("x", 1);
    dispatch_all();
    ck_assert_uint_eq(events_count, 1);
    check_message(0, 1, 1, false); /* it is parked */
    ck_assert_int_eq(wsfan_session_is_in(loop, sessions[0], wsfan_string("x")), WSFAN_OK);

    answer(0, WSFAN_RECOVERY_WHOLE, list_of("x", 4, 6));
    publish("x", 7);
    dispatch_all();
    ck_assert_uint_eq(events_count, 7);
    check_joined(1, 0, WSFAN_RECOVERY_WHOLE, 3);
    for (uint32_t n = 4; n <= 6; n++)
        check_message(n - 2, 0, n, true);
    check_message(5, 1, 7, false);
    check_message(6, 0, 7, false);
    end();
}
END_TEST

static wsf_position position;

static bool tells(const char *chat) {
    wsfan_target target = { WSFAN_CHAT, wsfan_string(chat) };
    uint64_t hash = wsf_hash_target(loop->node.key, &target);
    return wsf_positions_tell(&loop->positions, hash, &position);
}

static void read_in_on_joined(const event *e) {
    if (e->joined)
        ck_assert(tells("x"));
}

START_TEST(positions_are_capped_from_the_answer_on) {
    begin(true);
    wsf_reach *reach = wsf_reach_new();
    reach->told = true;
    wsf_vector_init(&reach->whole, 100);
    wsf_inbox_put_reach(loop->inbox, reach);
    wsf_reach_unref(reach);
    ck_assert_int_eq(join_with_history(0, "x", "p"), WSFAN_OK);
    dispatch_all();
    ck_assert(tells("x"));
    ck_assert_uint_eq(wsf_vector_at(&position.seen, ORIGIN), 100);
    away[0]->caps = wsf_alloc(sizeof *away[0]->caps);
    *away[0]->caps = (wsf_recovery_cap){ ORIGIN, 80, 100 };
    away[0]->caps_count = 1;
    then = read_in_on_joined;
    answer(0, WSFAN_RECOVERY_WHOLE, NULL);
    dispatch_all();
    ck_assert_uint_eq(wsf_vector_at(&position.seen, ORIGIN), 80);
    ck_assert_uint_eq(wsf_vector_at(&position.seen, ORIGIN + 1), 100);
    end();
}
END_TEST

START_TEST(a_replay_goes_on_over_dispatches_before_anything_else) {
    begin(true);
    join(1, "x");
    ck_assert_int_eq(join_with_history(0, "x", ""), WSFAN_OK);
    dispatch_all();
    events_count = 0;
    answer(0, WSFAN_RECOVERY_NONE, list_of("x", 1, 5));
    publish("x", 6);
    wsfan_loop_stats stats = { .struct_size = sizeof stats };
    for (unsigned i = 1; i <= 6; i++) {
        ck_assert_int_eq(wsfan_loop_dispatch(loop, 1), 1);
        ck_assert_uint_eq(events_count, i);
    }
    check_joined(0, 0, WSFAN_RECOVERY_NONE, 5);
    for (uint32_t n = 1; n <= 5; n++)
        check_message(n, 0, n, true);
    dispatch_all();
    ck_assert_uint_eq(events_count, 8);
    ck_assert_int_eq(wsfan_loop_get_stats(loop, &stats), WSFAN_OK);
    ck_assert_uint_eq(stats.inbox_count, 0);
    ck_assert_uint_eq(stats.inbox_bytes, 0);
    end();
}
END_TEST

static unsigned then_at; /* of the events */

static void then_leave(const event *e) {
    if (e == &events[then_at])
        leave(0, "x");
}

static void then_close(const event *e) {
    if (e == &events[then_at])
        ck_assert_int_eq(wsfan_session_close(loop, sessions[0]), WSFAN_OK);
}

static void then_join_again(const event *e) {
    if (e != &events[then_at])
        return;
    leave(0, "x");
    ck_assert_int_eq(join_with_history(0, "x", ""), WSFAN_OK);
}

START_TEST(a_replay_ends_with_the_membership) {
    static void (*const ends[])(const event *) = { then_leave, then_close, then_join_again };
    for (unsigned i = 0; i < 3; i++)
        for (unsigned at = 0; at < 3; at++) {
            begin(true);
            ck_assert_int_eq(join_with_history(0, "x", ""), WSFAN_OK);
            dispatch_all();
            then = ends[i];
            then_at = at;
            answer(0, WSFAN_RECOVERY_WHOLE, list_of("x", 1, 5));
            publish("x", 6);
            dispatch_all();
            ck_assert_uint_eq(events_count, at + 1);
            ck_assert_uint_eq(away_count, i == 2);
            if (i == 2) {
                answer(0, WSFAN_RECOVERY_OLD, NULL);
                dispatch_all();
                check_joined(at + 1, 0, WSFAN_RECOVERY_OLD, 0);
            }
            end();
        }
}
END_TEST

START_TEST(an_answer_to_an_earlier_membership_is_thrown_away) {
    begin(true);
    ck_assert_int_eq(join_with_history(0, "x", "one"), WSFAN_OK);
    dispatch_all();
    leave(0, "x");
    dispatch_all();
    ck_assert_int_eq(join_with_history(0, "x", "two"), WSFAN_OK);
    dispatch_all();
    ck_assert_uint_eq(away_count, 2);
    ck_assert_uint_eq(wsf_recovery_position(away[0]).size, 3);
    answer(0, WSFAN_RECOVERY_WHOLE, list_of("x", 1, 5));
    dispatch_all();
    ck_assert_uint_eq(events_count, 0);
    answer(0, WSFAN_RECOVERY_WHOLE, list_of("x", 3, 5));
    dispatch_all();
    ck_assert_uint_eq(events_count, 4);
    check_joined(0, 0, WSFAN_RECOVERY_WHOLE, 3);
    end();
}
END_TEST

START_TEST(the_core_is_asked_when_it_knows_that_the_chat_is_kept) {
    begin(true);
    dispatch_all();
    join(1, "x");
    ck_assert_int_eq(join_with_history(0, "x", ""), WSFAN_OK); /* the ticket is on its way */
    dispatch(1);
    ck_assert_uint_eq(away_count, 0); /* it had been sent without history */
    dispatch_all();
    ck_assert_uint_eq(away_count, 1);
    end();
}
END_TEST

START_TEST(messages_lost_to_the_loop_meanwhile_make_a_gap_of_it) {
    begin(true);
    join(1, "x");
    ck_assert_int_eq(join_with_history(0, "x", ""), WSFAN_OK);
    ck_assert_int_eq(join_with_history(2, "x", ""), WSFAN_OK);
    dispatch_all();
    events_count = 0;
    answer(away_of(0), WSFAN_RECOVERY_WHOLE, list_of("x", 1, 3));
    wsf_inbox_note_gap(loop->inbox, 5); /* after the cut, but told before */
    dispatch_all();
    ck_assert_uint_eq(gap, 5);
    ck_assert_uint_eq(events_count, 1);
    check_joined(0, 0, WSFAN_RECOVERY_GAP, 0);
    answer(away_of(2), WSFAN_RECOVERY_UNKEPT, NULL); /* is what it is */
    dispatch_all();
    check_joined(1, 2, WSFAN_RECOVERY_UNKEPT, 0);

    ck_assert_int_eq(join_with_history(3, "x", ""), WSFAN_OK);
    dispatch_all();
    answer(away_of(3), WSFAN_RECOVERY_WHOLE, NULL); /* no gap since */
    dispatch_all();
    check_joined(2, 3, WSFAN_RECOVERY_WHOLE, 0);
    wsfan_loop_stats stats = { .struct_size = sizeof stats };
    ck_assert_int_eq(wsfan_loop_get_stats(loop, &stats), WSFAN_OK);
    ck_assert_uint_eq(stats.inbox_count, 0);
    end();
}
END_TEST

START_TEST(without_history_the_join_is_an_ordinary_one) {
    begin(false);
    ck_assert_int_eq(join_with_history(0, "x", "p"), WSFAN_OK);
    publish("x", 1);
    dispatch_all();
    ck_assert_uint_eq(away_count, 0);
    ck_assert_uint_eq(events_count, 2); /* a message may come before on_joined */
    unsigned at = events[0].joined ? 0 : 1;
    check_joined(at, 0, WSFAN_RECOVERY_OFF, 0);
    check_message(1 - at, 0, 1, false);
    ck_assert_int_eq(join_with_history(1, "x", ""), WSFAN_OK); /* of a settled audience */
    dispatch_all();
    check_joined(2, 1, WSFAN_RECOVERY_OFF, 0);
    end();
}
END_TEST

/* A ticket that was on its way when the test took it. */
static wsf_ticket *ticket;

static void on_announce(void *user, wsf_ticket *announced) {
    (void)user;
    ticket = announced;
}

START_TEST(what_the_barrier_came_to_is_told_with_the_verdict) {
    begin(true);
    loop->subscriptions.effects.announce = on_announce;
    ck_assert_int_eq(join_with_history(0, "x", ""), WSFAN_OK);
    ticket->status = WSFAN_EPARTIAL;
    ticket->missing = wsf_alloc(2 * sizeof *ticket->missing);
    ticket->missing[0] = 1000;
    ticket->missing[1] = 1001;
    ticket->missing_count = 2;
    wsf_inbox_put_ticket(loop->inbox, ticket);
    dispatch_all();
    ck_assert_uint_eq(events_count, 0);
    answer(0, WSFAN_RECOVERY_SILENT, NULL);
    dispatch_all();
    check_joined(0, 0, WSFAN_RECOVERY_SILENT, 0);
    ck_assert_int_eq(events[0].status, WSFAN_EPARTIAL);
    ck_assert_uint_eq(events[0].missing_count, 2);

    ck_assert_int_eq(join_with_history(1, "y", ""), WSFAN_OK);
    ticket->status = WSFAN_ENOMEM; /* the core could not note the chat: there is nothing to ask */
    wsf_inbox_put_ticket(loop->inbox, ticket);
    dispatch_all();
    ck_assert_uint_eq(away_count, 0);
    check_joined(1, 1, WSFAN_RECOVERY_BUSY, 0);
    ck_assert_int_eq(events[1].status, WSFAN_ENOMEM);
    end();
}
END_TEST

enum { LATE_CLOCK = 49 };

/* Three late messages of a publisher, with the numbers 0..2. */
static void put_late(uint64_t origin, bool in_a_run) {
    lock_mesh();
    for (uint32_t i = 0; i < (in_a_run ? 1 : 3); i++) {
        wsfan_target target = { WSFAN_CHAT, wsfan_string("x") };
        wsf_message_parts parts = {
            .targets = &target, .targets_count = 1, .headroom_size = 8, .payload = { &i, sizeof i }
        };
        wsfan_message *message = in_a_run ? run_of(3, "x", sizeof i)
                                          : wsf_message_new(loop->node.key, &parts);
        message->id = (wsfan_message_id){ LATE_CLOCK + i, origin };
        if (in_a_run)
            run_know(message, loop->node.key);
        wsf_inbox_put_message(loop->inbox, message);
    }
    wsf_inbox_flush(loop->inbox);
    unlock_mesh();
}

/* Session 0 has the first two already. */
static void check_late(void) {
    dispatch_all();
    ck_assert_uint_eq(events_count, 4);
    check_message(0, 1, 0, false);
    check_message(1, 1, 1, false);
    check_message(2, 0, 2, false);
    check_message(3, 1, 2, false);
}

START_TEST(what_a_session_has_seen_elsewhere_does_not_come_again) {
    for (int in_a_run = 0; in_a_run < 2; in_a_run++) {
        begin(true);
        ck_assert_int_eq(join_with_history(0, "x", "p"), WSFAN_OK);
        dispatch_all();
        wsf_recovery *recovery = away[0];
        answer(0, WSFAN_RECOVERY_WHOLE, list_of("x", 1, 3));
        ck_assert(wsf_vector_raise(&recovery->seen, 88, 50));
        dispatch_all();
        check_joined(0, 0, WSFAN_RECOVERY_WHOLE, 3);
        join(1, "x");
        dispatch_all();
        events_count = 0;
        put_late(88, in_a_run);
        check_late();
        end();
    }
}
END_TEST

/* The last messages may be from another node, which got further with their publisher than this one. */
START_TEST(what_a_rewind_has_shown_does_not_come_again) {
    for (int in_a_run = 0; in_a_run < 2; in_a_run++) {
        begin(true);
        ck_assert_int_eq(join_with_history(0, "x", ""), WSFAN_OK);
        dispatch_all();
        answer(0, in_a_run ? WSFAN_RECOVERY_OLD : WSFAN_RECOVERY_NONE,
               list_of("x", LATE_CLOCK - 1, LATE_CLOCK + 1));
        dispatch_all();
        join(1, "x");
        dispatch_all();
        events_count = 0;
        put_late(ORIGIN, in_a_run);
        check_late();
        end();
    }
}
END_TEST

/* ----------------------------------------------------------------------------------------- at random */

enum { CHATS = 3, STEPS = 6000 };

typedef struct {
    bool in;
    bool history;
    bool told;          /* on_joined was called */
    uint32_t to_replay; /* messages that are to come before anything live */
    uint32_t next;      /* the number of the next one of these */
    uint32_t live;      /* the last live message */
} membership;

static uint64_t seed;
static membership of[SESSIONS][CHATS];
static uint32_t published;
static const char *const names[CHATS] = { "a", "b", "c" };
static unsigned depth;

static unsigned dice(unsigned sides) {
    return (unsigned)(next_random(&seed) % sides);
}

static void change(void) {
    unsigned s = dice(SESSIONS);
    unsigned c = dice(CHATS);
    membership *m = &of[s][c];
    if (dice(20) == 0) {
        ck_assert_int_eq(wsfan_session_close(loop, sessions[s]), WSFAN_OK);
        open_session(s);
        memset(of[s], 0, sizeof of[s]);
    } else if (dice(3) == 0) {
        publish(names[c], published++ * CHATS + c);
    } else if (m->in) {
        leave(s, names[c]);
        *m = (membership){ .in = false };
    } else {
        *m = (membership){ .in = true, .history = dice(3) != 0 };
        m->live = m->history ? published : 0;
        if (m->history)
            ck_assert_int_eq(join_with_history(s, names[c], "p"), WSFAN_OK);
        else
            join(s, names[c]);
    }
}

static void on_joined_at_random(void *user, const wsfan_joined *joined) {
    (void)user;
    unsigned s = (unsigned)(uintptr_t)joined->session_user;
    unsigned c = (unsigned)(*(const char *)joined->chat.data - 'a');
    membership *m = &of[s][c];
    ck_assert(m->in && !m->told);
    ck_assert_uint_eq(joined->session.id, sessions[s].id);
    ck_assert_int_eq(joined->recovered != NULL, m->history);
    m->told = true;
    m->next = 1;
    m->to_replay = joined->recovered != NULL ? joined->recovered->replayed_count : 0;
    if (dice(6) == 0 && depth++ < 4)
        change();
}

static void on_message_at_random(void *user, wsfan_message *message,
                                 const wsfan_recipient *recipients, size_t count) {
    (void)user;
    uint32_t number = number_in(message);
    bool replayed = (wsfan_message_flags(message) & WSFAN_REPLAYED) != 0;
    unsigned c = (unsigned)(*(const char *)wsfan_message_target(message, 0).name.data - 'a');
    ck_assert(!replayed || count == 1);
    for (size_t i = 0; i < count; i++) {
        unsigned s = (unsigned)(uintptr_t)recipients[i].session_user;
        membership *m = &of[s][c];
        ck_assert_uint_eq(recipients[i].session.id, sessions[s].id);
        ck_assert(m->in);
        ck_assert(m->told || !m->history);
        if (replayed) {
            ck_assert_uint_gt(m->to_replay, 0);
            ck_assert_uint_eq(number, m->next);
            m->next++;
            m->to_replay--;
        } else {
            ck_assert_uint_eq(m->to_replay, 0);
            ck_assert_uint_ge(number / CHATS, m->live); /* each once, in order */
            m->live = number / CHATS + 1;
        }
    }
    if (dice(6) == 0 && depth++ < 4)
        change();
}

START_TEST(callbacks_may_change_everything_while_messages_are_replayed) {
    begin(true);
    loop->callbacks.on_joined = on_joined_at_random;
    loop->callbacks.on_message = on_message_at_random;
    seed = 11;
    published = 1;
    for (int step = 0; step < STEPS; step++) {
        unsigned what = dice(4);
        depth = 0;
        if (what == 0 && away_count > 0) {
            unsigned i = dice(away_count);
            const wsf_recovery *recovery = away[i];
            char chat[2] = { recovery->text[0], 0 };
            answer(i, dice(2) == 0 ? WSFAN_RECOVERY_WHOLE : WSFAN_RECOVERY_NONE,
                   dice(4) == 0 ? NULL : list_of(chat, 1, 1 + dice(12)));
        } else if (what == 1) {
            change();
        } else {
            dispatch(1 + dice(6));
        }
        if (away_count > AWAY_MAX / 2)
            answer(0, WSFAN_RECOVERY_UNKEPT, NULL);
    }
    while (away_count > 0) {
        answer(0, WSFAN_RECOVERY_WHOLE, NULL);
        depth = 4;
        dispatch_all();
    }
    dispatch_all();
    for (unsigned s = 0; s < SESSIONS; s++)
        for (unsigned c = 0; c < CHATS; c++)
            ck_assert(!of[s][c].in || (of[s][c].told && of[s][c].to_replay == 0));
    ck_assert_uint_eq(loop->subscriptions.parkings.slots.count, 0);
    end();
}
END_TEST

SUITE_MAIN("replay", what_was_missed_comes_after_on_joined_and_before_what_is_live,
           positions_are_capped_from_the_answer_on,
           a_replay_goes_on_over_dispatches_before_anything_else, a_replay_ends_with_the_membership,
           an_answer_to_an_earlier_membership_is_thrown_away,
           the_core_is_asked_when_it_knows_that_the_chat_is_kept,
           messages_lost_to_the_loop_meanwhile_make_a_gap_of_it,
           without_history_the_join_is_an_ordinary_one,
           what_the_barrier_came_to_is_told_with_the_verdict,
           what_a_session_has_seen_elsewhere_does_not_come_again,
           what_a_rewind_has_shown_does_not_come_again,
           callbacks_may_change_everything_while_messages_are_replayed)
