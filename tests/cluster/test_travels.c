/* The checker of travellers finds what may not be, in logs that are doctored one by one. */
#include <check.h>
#include <string.h>
#include <wsfan/history.h>
#include <wsfan/peers.h>
#include <wsfan/wsfan.h>

#include "suite.h"
#include "travels.h"

enum { A, B, CHAT = 3, TRAVELLER = 5, BYTES = 100 };

static ledger *book;
static travels *checked;
static uint64_t ms;
static uint32_t lives[2];
static uint32_t session_of_a, session_of_b; /* before and after */
static uint32_t serial;
static bool formed = true;

static void pass(uint64_t more_ms) {
    ms += more_ms;
    ledger_set_time(book, ms);
}

static uint32_t publish(uint32_t life, uint32_t except) {
    ledger_targets targets = ledger_nobody();
    targets.chats = 1u << CHAT;
    targets.except = except;
    uint32_t message = ledger_publish(book, life, &targets, BYTES, false);
    event e = { .kind = EVENT_PUBLISH, .chats = 1u << CHAT, .size = BYTES };
    travels_publish(checked, life, message, except, &e);
    return message;
}

static void deliver(uint32_t session, uint32_t message, bool replayed) {
    event e = { .kind = EVENT_DELIVERED, .replayed = replayed };
    travels_session(checked, ledger_life(book, session), session, message, &e);
}

static void tell_position(uint32_t session) {
    event e = { .kind = EVENT_POSITION, .number = ++serial, .whole = true };
    travels_session(checked, ledger_life(book, session), session, UINT32_MAX, &e);
}

static uint32_t come(uint32_t life, handed_kind handed) {
    uint32_t session = ledger_open(book, life, 0, -1);
    event e = { .kind = EVENT_JOIN,
                .chat = CHAT,
                .slot = TRAVELLER,
                .history = true,
                .handed = (uint8_t)handed,
                .number = serial };
    ledger_join(book, session, CHAT);
    travels_session(checked, life, session, handed == HANDED_NOTHING ? UINT32_MAX : lives[A], &e);
    return session;
}

static void judge(uint32_t session, wsfan_recovery verdict, uint32_t replayed) {
    event e = { .kind = EVENT_JOINED,
                .chat = CHAT,
                .number = (uint32_t)WSFAN_OK,
                .history = true,
                .slot = (uint8_t)verdict,
                .size = replayed };
    ledger_joined(book, session, CHAT, true);
    travels_session(checked, ledger_life(book, session), session, UINT32_MAX, &e);
}

static void meet(uint32_t a, uint32_t b) {
    ledger_up(book, lives[a], ledger_node(book, lives[b]));
    travels_peer(checked, lives[a], lives[b], WSFAN_PEER_UP, WSFAN_REASON_NONE);
}

/* A client that was at A, got a message and left. */
static void begin(uint32_t history_ms) {
    book = ledger_new();
    checked = travels_new(book, (travels_limits){ history_ms, 100, 100000 });
    ms = 0;
    serial = 0;
    pass(1);
    for (unsigned i = 0; i < 2; i++) {
        lives[i] = ledger_born(book, 100 + i, 0);
        travels_born(checked, lives[i]);
    }
    meet(A, B);
    meet(B, A);
    if (formed)
        travels_formed(checked);
    pass(5000);
    session_of_a = come(lives[A], HANDED_NOTHING);
    judge(session_of_a, history_ms == 0 ? WSFAN_RECOVERY_OFF : WSFAN_RECOVERY_NONE, 0);
    pass(5000);
    deliver(session_of_a, publish(lives[A], UINT32_MAX), false);
    tell_position(session_of_a);
    event e = { .kind = EVENT_CLOSE };
    travels_session(checked, lives[A], session_of_a, UINT32_MAX, &e);
    ledger_close(book, session_of_a);
    pass(1000);
}

/* And comes to B, with two messages that it lacks. */
static void come_back(uint32_t first[2], wsfan_recovery verdict, uint32_t replayed) {
    first[0] = publish(lives[A], UINT32_MAX);
    first[1] = publish(lives[A], UINT32_MAX);
    session_of_b = come(lives[B], HANDED_POSITION);
    judge(session_of_b, verdict, replayed);
}

static size_t violations(void) {
    const char *texts[LEDGER_VIOLATIONS_MAX];
    return ledger_violations(book, texts);
}

/* Ends, with so many violations. */
static void end(size_t expected) {
    travels_check(checked);
    ck_assert_uint_eq(violations(), expected);
    travels_destroy(checked);
    ledger_destroy(book);
}

START_TEST(what_is_as_promised_is_no_violation) {
    uint32_t missed[2];
    begin(60000);
    come_back(missed, WSFAN_RECOVERY_WHOLE, 2);
    deliver(session_of_b, missed[0], true);
    deliver(session_of_b, missed[1], true);
    deliver(session_of_b, publish(lives[B], UINT32_MAX), false);
    end(0);
}
END_TEST

START_TEST(whole_without_all_that_was_missed) {
    uint32_t missed[2];
    begin(60000);
    come_back(missed, WSFAN_RECOVERY_WHOLE, 1);
    deliver(session_of_b, missed[1], true);
    end(1);
}
END_TEST

START_TEST(whole_without_the_last_of_it) {
    uint32_t missed[2];
    begin(60000);
    come_back(missed, WSFAN_RECOVERY_WHOLE, 1);
    deliver(session_of_b, missed[0], true);
    end(1);
}
END_TEST

START_TEST(a_gap_excuses_when_it_is_told_after_the_verdict_alone) {
    uint32_t missed[2];
    begin(60000);
    come_back(missed, WSFAN_RECOVERY_WHOLE, 0);
    travels_gap(checked, lives[B], lives[A], 0, 2);
    end(0);
    begin(60000);
    missed[0] = publish(lives[A], UINT32_MAX);
    travels_gap(checked, lives[B], lives[A], 0, 1);
    session_of_b = come(lives[B], HANDED_POSITION);
    judge(session_of_b, WSFAN_RECOVERY_WHOLE, 0);
    end(1);
    begin(60000);
    come_back(missed, WSFAN_RECOVERY_WHOLE, 0);
    travels_gap(checked, lives[B], lives[A], 0, 1); /* of one, and two are missing */
    end(1);
    begin(60000);
    come_back(missed, WSFAN_RECOVERY_WHOLE, 0);
    travels_gap(checked, lives[B], lives[A], 1, 2); /* to another loop */
    end(1);
}
END_TEST

START_TEST(a_message_twice) {
    uint32_t missed[2];
    begin(60000);
    come_back(missed, WSFAN_RECOVERY_WHOLE, 2);
    deliver(session_of_b, missed[0], true);
    deliver(session_of_b, missed[1], true);
    deliver(session_of_b, missed[1], false);
    end(1);
    begin(60000);
    come_back(missed, WSFAN_RECOVERY_WHOLE, 3);
    deliver(session_of_b, missed[0] - 1, true); /* which it had got at A */
    deliver(session_of_b, missed[0], true);
    deliver(session_of_b, missed[1], true);
    end(1);
}
END_TEST

START_TEST(out_of_order) {
    uint32_t missed[2];
    begin(60000);
    come_back(missed, WSFAN_RECOVERY_WHOLE, 2);
    deliver(session_of_b, missed[1], true);
    deliver(session_of_b, missed[0], true);
    end(1);
}
END_TEST

START_TEST(a_new_message_before_the_verdict_or_before_what_is_replayed) {
    uint32_t missed[2];
    begin(60000);
    missed[0] = publish(lives[A], UINT32_MAX);
    session_of_b = come(lives[B], HANDED_POSITION);
    deliver(session_of_b, missed[0], false);
    judge(session_of_b, WSFAN_RECOVERY_WHOLE, 0);
    end(1);
    begin(60000);
    come_back(missed, WSFAN_RECOVERY_WHOLE, 2);
    deliver(session_of_b, missed[0], true);
    deliver(session_of_b, publish(lives[B], UINT32_MAX), false);
    deliver(session_of_b, missed[1], true);
    end(1);
}
END_TEST

START_TEST(more_is_replayed_than_was_said_or_asked_for) {
    uint32_t missed[2];
    begin(60000);
    come_back(missed, WSFAN_RECOVERY_WHOLE, 1);
    deliver(session_of_b, missed[0], true);
    deliver(session_of_b, missed[1], true);
    end(1);
    begin(60000);
    travels_died(checked, lives[A]);
    come_back(missed, WSFAN_RECOVERY_UNKEPT, 1);
    end(1);
}
END_TEST

START_TEST(what_left_the_client_out_is_not_replayed) {
    begin(60000);
    uint32_t message = publish(lives[A], session_of_a);
    session_of_b = come(lives[B], HANDED_POSITION);
    judge(session_of_b, WSFAN_RECOVERY_WHOLE, 1);
    deliver(session_of_b, message, true);
    end(1);
}
END_TEST

START_TEST(reasons_that_cannot_be) {
    static const wsfan_recovery never[] = { WSFAN_RECOVERY_NONE,  WSFAN_RECOVERY_OLD,
                                            WSFAN_RECOVERY_EPOCH, WSFAN_RECOVERY_UNKEPT,
                                            WSFAN_RECOVERY_GAP,   WSFAN_RECOVERY_POSITION,
                                            WSFAN_RECOVERY_CLOCK, WSFAN_RECOVERY_MIXED,
                                            WSFAN_RECOVERY_OFF };
    uint32_t missed[2];
    for (unsigned i = 0; i < sizeof never / sizeof *never; i++) {
        begin(60000);
        come_back(missed, never[i], 0);
        end(1);
    }
    begin(60000);
    travels_calm(checked);
    come_back(missed, WSFAN_RECOVERY_BUSY, 0);
    end(1);
    begin(0);
    come_back(missed, WSFAN_RECOVERY_NONE, 0);
    end(1);
}
END_TEST

START_TEST(reasons_that_can_be) {
    uint32_t missed[2];
    begin(60000);
    travels_died(checked, lives[A]); /* with all that it kept */
    come_back(missed, WSFAN_RECOVERY_UNKEPT, 0);
    end(0);
    begin(60000);
    travels_gap(checked, lives[A], lives[B], 0, 1);
    come_back(missed, WSFAN_RECOVERY_GAP, 0);
    end(0);
    formed = false; /* joins do not wait for nodes that are yet to meet */
    begin(60000);
    come_back(missed, WSFAN_RECOVERY_GAP, 0);
    end(0);
    formed = true;
    begin(60000);
    pass(60000);
    come_back(missed, WSFAN_RECOVERY_OLD, 0);
    end(0);
    begin(60000);
    travels_trouble(checked, true);
    come_back(missed, WSFAN_RECOVERY_CLOCK, 0);
    end(0);
    begin(0);
    come_back(missed, WSFAN_RECOVERY_OFF, 0);
    end(0);
}
END_TEST

/* What has gone for its age is older than a young position, unless that is older of one publisher, or these are many. */
START_TEST(old_although_the_position_is_young) {
    enum { HISTORY_MS = 10000, MANY = 9 };
    uint32_t missed[2];
    begin(HISTORY_MS);
    come_back(missed, WSFAN_RECOVERY_OLD, 0);
    end(1);
    begin(HISTORY_MS);
    uint32_t third = ledger_born(book, 102, 0);
    travels_born(checked, third);
    travels_peer(checked, lives[A], third, WSFAN_PEER_UP, WSFAN_REASON_NONE);
    travels_died(checked, third);
    come_back(missed, WSFAN_RECOVERY_OLD, 0);
    end(0);
    begin(HISTORY_MS);
    for (unsigned i = 0; i < MANY; i++) {
        uint32_t life = ledger_born(book, 103 + i, 0);
        travels_born(checked, life);
        publish(life, UINT32_MAX);
        travels_died(checked, life);
    }
    come_back(missed, WSFAN_RECOVERY_OLD, 0);
    end(0);
}
END_TEST

/* The last messages of a node that ended without a goodbye may be nowhere, and a node that lacks them says so for as long as they
 * might be kept. */
START_TEST(unkept_where_another_node_has_ended) {
    static const unsigned reasons[] = { WSFAN_REASON_BYE, WSFAN_REASON_ENDED };
    for (unsigned i = 0; i < 4; i++) {
        begin(60000);
        travels_died(checked, lives[B]);
        travels_peer(checked, lives[A], lives[B], WSFAN_PEER_DOWN, reasons[i % 2]);
        pass(i < 2 ? 10000 : 70000);
        session_of_a = come(lives[A], HANDED_NOTHING);
        judge(session_of_a, WSFAN_RECOVERY_NONE, 0);
        tell_position(session_of_a);
        judge(come(lives[A], HANDED_POSITION), WSFAN_RECOVERY_UNKEPT, 0);
        end(reasons[i % 2] == WSFAN_REASON_ENDED && i < 2 ? 0 : 1);
    }
}
END_TEST

/* Positions of a calm time have to be of use, whatever the reason would be. */
START_TEST(no_recovery_in_a_calm_time) {
    uint32_t missed[2];
    begin(60000);
    travels_trouble(checked, false);
    travels_calm(checked);
    session_of_a = come(lives[A], HANDED_NOTHING);
    judge(session_of_a, WSFAN_RECOVERY_NONE, 0);
    tell_position(session_of_a);
    come_back(missed, WSFAN_RECOVERY_GAP, 0);
    end(1);
}
END_TEST

/* The client is at A, and comes back to B. */
static void come_back_in_a_calm_time(size_t expected) {
    uint32_t missed[2];
    travels_calm(checked);
    tell_position(session_of_a);
    come_back(missed, WSFAN_RECOVERY_EPOCH, 0);
    end(expected);
}

static void come_to_a(void) {
    session_of_a = come(lives[A], HANDED_NOTHING);
    judge(session_of_a, WSFAN_RECOVERY_NONE, 0);
}

START_TEST(another_epoch_in_a_calm_time) {
    begin(60000);
    come_to_a();
    come_back_in_a_calm_time(1); /* the node lived throughout */
    formed = false;
    begin(60000);
    come_to_a();
    travels_formed(checked);
    come_back_in_a_calm_time(0);
    formed = true;
    begin(60000);
    travels_died(checked, lives[A]);
    lives[A] = ledger_born(book, 102, 0);
    travels_born(checked, lives[A]);
    come_to_a();
    pass(5000);
    meet(A, B);
    meet(B, A);
    pass(10000);
    come_back_in_a_calm_time(0); /* A was started anew, and had not met B when the client came */
}
END_TEST

START_TEST(rubbish_that_passes) {
    begin(60000);
    session_of_b = come(lives[B], HANDED_RUBBISH);
    judge(session_of_b, WSFAN_RECOVERY_WHOLE, 0);
    end(1);
    begin(60000);
    session_of_b = come(lives[B], HANDED_RUBBISH);
    judge(session_of_b, WSFAN_RECOVERY_POSITION, 0);
    end(0);
}
END_TEST

SUITE_MAIN("travels", what_is_as_promised_is_no_violation, whole_without_all_that_was_missed,
           whole_without_the_last_of_it, a_gap_excuses_when_it_is_told_after_the_verdict_alone,
           a_message_twice, out_of_order,
           a_new_message_before_the_verdict_or_before_what_is_replayed,
           more_is_replayed_than_was_said_or_asked_for, what_left_the_client_out_is_not_replayed,
           reasons_that_cannot_be, reasons_that_can_be, old_although_the_position_is_young,
           unkept_where_another_node_has_ended, no_recovery_in_a_calm_time,
           another_epoch_in_a_calm_time, rubbish_that_passes)
