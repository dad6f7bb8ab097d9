#include "loop/registry.h"

#include <stdio.h>
#include <string.h>

#include "suite.h"

static const wsf_registry_limits LIMITS = { 1000, 1000, 100 };
static wsf_hash_key key;
static wsf_registry registry;

static void begin(const wsf_registry_limits *limits) {
    wsf_hash_key_init(&key, "c");
    wsf_registry_init(&registry, limits, 3, 99);
}

static wsfan_session open_session(uintptr_t user) {
    wsfan_session session;
    ck_assert_int_eq(wsf_registry_open(&registry, (void *)user, &session), WSFAN_OK);
    return session;
}

static int join(wsfan_session session, wsfan_target_kind kind, const char *name) {
    wsfan_target target = { kind, wsfan_string(name) };
    uint32_t audience;
    return wsf_registry_join(&registry, session, &target, wsf_hash_target(&key, &target),
                             &audience);
}

static int leave(wsfan_session session, const char *name) {
    wsfan_target target = { WSFAN_CHAT, wsfan_string(name) };
    uint32_t audience;
    int error = wsf_registry_leave(&registry, session, &target, wsf_hash_target(&key, &target),
                                   &audience);
    if (error == WSFAN_OK && wsf_audiences_at(&registry.audiences, audience)->members_count == 0)
        wsf_audiences_drop(&registry.audiences, audience);
    return error;
}

static void close_session(wsfan_session session) {
    uint32_t audience;
    while (wsf_registry_leave_any(&registry, session, &audience))
        if (wsf_audiences_at(&registry.audiences, audience)->members_count == 0)
            wsf_audiences_drop(&registry.audiences, audience);
    wsf_registry_close(&registry, session);
}

enum { NODE = 7 }; /* this one */

static size_t collect(const wsfan_target *targets, uint32_t count, uint64_t except,
                      const wsfan_recipient **recipients) {
    wsf_message_parts parts = { .targets = targets,
                                .targets_count = count,
                                .payload = wsfan_string("payload"),
                                .except = { NODE, except } };
    wsfan_message *message = wsf_message_new(&key, &parts);
    size_t found = wsf_registry_select(&registry, message, NODE, recipients);
    wsfan_message_unref(message);
    return found;
}

static uint32_t number_of(const char *chat) {
    wsfan_target target = { WSFAN_CHAT, wsfan_string(chat) };
    return wsf_audiences_find(&registry.audiences, &target, wsf_hash_target(&key, &target));
}

static void park(wsfan_session session, const char *chat) {
    wsf_registry_park(&registry, session, number_of(chat));
}

static void unpark(wsfan_session session, const char *chat) {
    wsf_registry_unpark(&registry, session, number_of(chat));
}

static size_t members(const char *chat, const wsfan_recipient **recipients) {
    wsfan_target target = { WSFAN_CHAT, wsfan_string(chat) };
    return collect(&target, 1, 0, recipients);
}

START_TEST(members_of_a_chat_are_found_with_their_user_pointers) {
    const wsfan_recipient *r;
    begin(&LIMITS);
    wsfan_session a = open_session(1);
    wsfan_session b = open_session(2);
    open_session(3);
    ck_assert_int_eq(join(a, WSFAN_CHAT, "x"), WSFAN_OK);
    ck_assert_int_eq(join(b, WSFAN_CHAT, "x"), WSFAN_OK);
    ck_assert_int_eq(join(b, WSFAN_CHAT, "y"), WSFAN_OK);
    ck_assert_uint_eq(members("x", &r), 2);
    ck_assert_ptr_eq(r[0].session_user, (void *)1);
    ck_assert_uint_eq(r[1].session.id, b.id);
    ck_assert_uint_eq(members("y", &r), 1);
    ck_assert_uint_eq(members("z", &r), 0);
    ck_assert_int_eq(join(b, WSFAN_CHAT, "x"), WSFAN_EEXIST);
    ck_assert_int_eq(leave(a, "x"), WSFAN_OK);
    ck_assert_int_eq(leave(a, "x"), WSFAN_ENOENT);
    ck_assert_uint_eq(members("x", &r), 1);
    wsf_registry_destroy(&registry);
}
END_TEST

START_TEST(a_closed_session_is_stale_even_when_its_slot_is_used_again) {
    const wsfan_recipient *r;
    begin(&LIMITS);
    wsfan_session a = open_session(1);
    join(a, WSFAN_CHAT, "x");
    close_session(a);
    ck_assert_int_eq(wsf_registry_check(&registry, a), WSFAN_ESTALE);
    wsfan_session b = open_session(2);
    ck_assert_uint_eq(a.id & 0xffffff, b.id & 0xffffff); /* the same slot */
    ck_assert_int_eq(wsf_registry_check(&registry, a), WSFAN_ESTALE);
    ck_assert_int_eq(wsf_registry_check(&registry, b), WSFAN_OK);
    ck_assert_int_eq(join(a, WSFAN_CHAT, "x"), WSFAN_ESTALE);
    ck_assert_uint_eq(members("x", &r), 0);
    ck_assert_int_eq(wsf_registry_check(&registry, (wsfan_session){ 0 }), WSFAN_ESTALE);
    wsfan_session never = { b.id + 1 }; /* of a slot that no session has had */
    ck_assert_int_eq(wsf_registry_check(&registry, never), WSFAN_ESTALE);
    wsf_registry_destroy(&registry);
}
END_TEST

START_TEST(a_session_of_another_loop_is_told_apart_from_a_closed_one) {
    wsf_registry other;
    wsfan_session theirs;
    begin(&LIMITS);
    wsfan_session own = open_session(1);
    wsf_registry_init(&other, &LIMITS, 0, 7);
    ck_assert_int_eq(wsf_registry_open(&other, NULL, &theirs), WSFAN_OK);
    ck_assert_int_eq(wsf_registry_check(&registry, theirs), WSFAN_EINVAL);
    ck_assert_int_eq(wsf_registry_check(&other, own), WSFAN_EINVAL);
    ck_assert_int_eq(join(theirs, WSFAN_CHAT, "x"), WSFAN_EINVAL);
    ck_assert_int_eq(leave(theirs, "x"), WSFAN_EINVAL);
    ck_assert_int_eq(wsf_registry_check(&registry, (wsfan_session){ UINT64_MAX }), WSFAN_EINVAL);
    ck_assert_int_eq(wsf_registry_check(&registry, (wsfan_session){ 0 }), WSFAN_ESTALE);
    ck_assert_int_eq(wsf_registry_check(&other, (wsfan_session){ 0 }), WSFAN_ESTALE);
    wsf_registry_destroy(&other);
    wsf_registry_destroy(&registry);
}
END_TEST

START_TEST(a_session_is_collected_once_however_many_targets_name_it) {
    const wsfan_recipient *r;
    begin(&LIMITS);
    wsfan_session a = open_session(1);
    wsfan_session b = open_session(2);
    join(a, WSFAN_USER, "u");
    join(b, WSFAN_USER, "u");
    join(a, WSFAN_CHAT, "x");
    join(a, WSFAN_CHAT, "y");
    wsfan_target targets[] = { { WSFAN_CHAT, wsfan_string("x") },
                               { WSFAN_CHAT, wsfan_string("y") },
                               { WSFAN_USER, wsfan_string("u") },
                               { WSFAN_CHAT, wsfan_string("x") } };
    ck_assert_uint_eq(collect(targets, 4, 0, &r), 2);
    ck_assert_uint_eq(collect(targets, 4, a.id, &r), 1);
    ck_assert_uint_eq(r[0].session.id, b.id);
    targets[3] = (wsfan_target){ WSFAN_ALL, { NULL, 0 } };
    ck_assert_uint_eq(collect(targets, 4, 0, &r), 2);
    ck_assert_uint_eq(collect(&targets[3], 1, b.id, &r), 1);
    wsf_registry_destroy(&registry);
}
END_TEST

START_TEST(a_chat_and_a_user_of_one_name_are_two_things) {
    const wsfan_recipient *r;
    begin(&LIMITS);
    wsfan_session a = open_session(1);
    join(a, WSFAN_USER, "name");
    ck_assert_uint_eq(members("name", &r), 0);
    ck_assert_int_eq(join(a, WSFAN_CHAT, "name"), WSFAN_OK);
    ck_assert_uint_eq(members("name", &r), 1);
    wsf_registry_destroy(&registry);
}
END_TEST

START_TEST(recipients_stay_readable_while_sessions_open_and_close) {
    const wsfan_recipient *r;
    begin(&LIMITS);
    for (uintptr_t i = 0; i < 16; i++)
        join(open_session(i), WSFAN_CHAT, "x");
    ck_assert_uint_eq(members("x", &r), 16);
    for (uintptr_t i = 16; i < 500; i++)
        join(open_session(i), WSFAN_CHAT, "x");
    for (uintptr_t i = 0; i < 16; i++) {
        ck_assert_ptr_eq(r[i].session_user, (void *)i);
        close_session(r[i].session);
    }
    ck_assert_uint_eq(members("x", &r), 484);
    wsf_registry_destroy(&registry);
}
END_TEST

START_TEST(two_names_with_one_hash_are_twins_and_stay_apart) {
    const wsfan_recipient *r;
    uint32_t first;
    uint32_t second;
    begin(&LIMITS);
    wsfan_session a = open_session(1);
    wsfan_target x = { WSFAN_CHAT, wsfan_string("x") };
    wsfan_target y = { WSFAN_CHAT, wsfan_string("y") };
    uint64_t hash = wsf_hash_target(&key, &x);
    wsf_registry_join(&registry, a, &x, hash, &first);
    ck_assert(!wsf_audiences_has_twin(&registry.audiences, first));
    wsf_registry_join(&registry, a, &y, hash, &second);
    ck_assert_uint_ne(first, second);
    ck_assert(wsf_audiences_has_twin(&registry.audiences, first));
    ck_assert_uint_eq(members("x", &r), 1);
    wsf_registry_destroy(&registry);
}
END_TEST

START_TEST(each_limit_holds_at_the_limit_and_refuses_one_more) {
    static const wsf_registry_limits tight = { 2, 4, 3 };
    wsfan_session session;
    begin(&tight);
    wsfan_session a = open_session(1);
    wsfan_session b = open_session(2);
    ck_assert_int_eq(wsf_registry_open(&registry, NULL, &session), WSFAN_ELIMIT);
    join(a, WSFAN_USER, "u"); /* a user is not one of the session's chats */
    ck_assert_int_eq(join(a, WSFAN_CHAT, "1"), WSFAN_OK);
    ck_assert_int_eq(join(a, WSFAN_CHAT, "2"), WSFAN_OK);
    ck_assert_int_eq(join(a, WSFAN_CHAT, "3"), WSFAN_OK);
    ck_assert_int_eq(join(a, WSFAN_CHAT, "4"), WSFAN_ELIMIT);
    ck_assert_int_eq(join(b, WSFAN_CHAT, "5"), WSFAN_ELIMIT); /* of audiences */
    ck_assert_int_eq(join(b, WSFAN_CHAT, "1"), WSFAN_OK);
    ck_assert_int_eq(leave(a, "3"), WSFAN_OK);
    ck_assert_int_eq(join(b, WSFAN_CHAT, "5"), WSFAN_OK);
    close_session(b);
    ck_assert_int_eq(wsf_registry_open(&registry, NULL, &session), WSFAN_OK);
    wsf_registry_destroy(&registry);
}
END_TEST

/* Against a model that cannot be wrong: a matrix of who is in what. */
/* Whoever waits for a join may ask when the session has left and the audience is no more. */
START_TEST(a_join_that_outlives_its_audience_is_not_expected) {
    static const char *const names[] = { "0", "1", "2", "3" };
    begin(&LIMITS);
    wsfan_session session = open_session(1);
    for (uint32_t i = 0; i < 4; i++) {
        ck_assert_int_eq(join(session, WSFAN_CHAT, names[i]), WSFAN_OK);
        wsf_registry_expect(&registry, session, i);
    }
    ck_assert_int_eq(leave(session, "1"), WSFAN_OK);
    ck_assert_int_eq(leave(session, "0"), WSFAN_OK); /* its place links to that of 1 */
    wsfan_recipient recipient;
    for (uint32_t i = 0; i < 2; i++) {
        ck_assert(!wsf_registry_expected(&registry, session, i));
        ck_assert(!wsf_registry_told(&registry, session, i));
        ck_assert(!wsf_registry_settled(&registry, session, i, &recipient));
    }
    ck_assert(wsf_registry_expected(&registry, session, 2));
    wsf_registry_destroy(&registry);
}
END_TEST

START_TEST(a_parked_member_is_a_member_that_gets_no_message) {
    const wsfan_recipient *r;
    begin(&LIMITS);
    wsfan_session a = open_session(1);
    wsfan_session b = open_session(2);
    join(a, WSFAN_CHAT, "x");
    join(b, WSFAN_CHAT, "x");
    join(a, WSFAN_CHAT, "y");
    uint32_t x = number_of("x");
    park(a, "x");
    ck_assert(wsf_registry_parked(&registry, a, x));
    ck_assert(!wsf_registry_parked(&registry, b, x));
    ck_assert_uint_eq(members("x", &r), 1);
    ck_assert_uint_eq(r[0].session.id, b.id);
    ck_assert_uint_eq(wsf_registry_collect_audience(&registry, x, &r), 2);
    ck_assert_int_eq(join(a, WSFAN_CHAT, "x"), WSFAN_EEXIST);

    wsfan_target targets[] = { { WSFAN_CHAT, wsfan_string("x") },
                               { WSFAN_CHAT, wsfan_string("y") } };
    ck_assert_uint_eq(collect(targets, 1, a.id, &r), 1);
    ck_assert_uint_eq(collect(targets, 1, b.id, &r), 0);
    ck_assert_uint_eq(collect(targets, 2, 0, &r), 2); /* by y */
    targets[0].kind = WSFAN_NOT_CHAT;
    ck_assert_uint_eq(collect(targets, 2, 0, &r), 0); /* x leaves it out all the same */

    unpark(a, "x");
    ck_assert(!wsf_registry_parked(&registry, a, x));
    ck_assert_uint_eq(members("x", &r), 2);
    park(b, "x");
    ck_assert_int_eq(leave(b, "x"), WSFAN_OK);
    ck_assert(!wsf_registry_parked(&registry, b, x));
    ck_assert_uint_eq(members("x", &r), 1);
    wsf_registry_destroy(&registry);
}
END_TEST

START_TEST(who_is_addressed_by_a_request_may_be_parked) {
    const wsfan_recipient *r;
    begin(&LIMITS);
    wsfan_session a = open_session(1);
    wsfan_session b = open_session(2);
    join(a, WSFAN_CHAT, "x");
    join(b, WSFAN_CHAT, "x");
    park(b, "x");
    wsfan_target targets[] = { { WSFAN_CHAT, wsfan_string("x") },
                               { WSFAN_CHAT, wsfan_string("z") } };
    for (uint32_t count = 1; count <= 2; count++) {
        wsf_message_parts parts = { .targets = targets, .targets_count = count };
        wsfan_message *message = wsf_message_new(&key, &parts);
        ck_assert_uint_eq(wsf_registry_select_addressed(&registry, message, NODE, &r), 2);
        ck_assert_uint_eq(wsf_registry_select(&registry, message, NODE, &r), 1);
        wsfan_message_unref(message);
    }
    wsf_registry_destroy(&registry);
}
END_TEST

START_TEST(it_agrees_with_a_model_under_random_change) {
    enum { SESSIONS = 40, CHATS = 30, STEPS = 20000 };
    static bool in[SESSIONS][CHATS];
    static bool parked[SESSIONS][CHATS];
    wsfan_session sessions[SESSIONS];
    uint64_t random = 5;
    char name[8];
    begin(&LIMITS);
    for (uintptr_t s = 0; s < SESSIONS; s++)
        sessions[s] = open_session(s);
    for (int step = 0; step < STEPS; step++) {
        uintptr_t s = (uintptr_t)(next_random(&random) % SESSIONS);
        uint64_t c = next_random(&random) % CHATS;
        snprintf(name, sizeof name, "%u", (unsigned)c);
        if (next_random(&random) % 50 == 0) {
            close_session(sessions[s]);
            sessions[s] = open_session(s);
            memset(in[s], 0, sizeof in[s]);
        } else if (in[s][c] && next_random(&random) % 2 == 0) {
            (parked[s][c] ? unpark : park)(sessions[s], name);
            parked[s][c] = !parked[s][c];
        } else if (in[s][c]) {
            ck_assert_int_eq(leave(sessions[s], name), WSFAN_OK);
            in[s][c] = false;
        } else {
            ck_assert_int_eq(join(sessions[s], WSFAN_CHAT, name), WSFAN_OK);
            in[s][c] = true;
            parked[s][c] = false;
        }
        const wsfan_recipient *r;
        bool found[SESSIONS] = { false };
        bool is_in[SESSIONS] = { false };
        if (number_of(name) != WSF_TABLE_NONE) {
            size_t all = wsf_registry_collect_audience(&registry, number_of(name), &r);
            for (size_t i = 0; i < all; i++)
                is_in[(uintptr_t)r[i].session_user] = true;
        }
        uint64_t except = next_random(&random) % SESSIONS;
        wsfan_target target = { WSFAN_CHAT, wsfan_string(name) };
        size_t count = collect(&target, 1, sessions[except].id, &r);
        for (size_t i = 0; i < count; i++) {
            uintptr_t who = (uintptr_t)r[i].session_user;
            ck_assert(!found[who]);
            found[who] = true;
            ck_assert_uint_eq(r[i].session.id, sessions[who].id);
        }
        for (unsigned i = 0; i < SESSIONS; i++) {
            ck_assert_int_eq(is_in[i], in[i][c]);
            ck_assert_int_eq(found[i], in[i][c] && !parked[i][c] && i != except);
        }
    }
    uint32_t chats = 0;
    for (int c = 0; c < CHATS; c++) {
        bool any = false;
        for (int s = 0; s < SESSIONS; s++)
            any = any || in[s][c];
        chats += any;
    }
    ck_assert_uint_eq(registry.audiences.slots.count, chats);
    wsf_registry_destroy(&registry);
}
END_TEST

typedef struct {
    char text[WSFAN_ADDRESS_TEXT_SIZE];
} address_text;

static wsfan_target address_target(int kind, uint64_t node, uint64_t session, address_text *text) {
    wsfan_address_text((wsfan_address){ node, session }, text->text);
    return (wsfan_target){ (wsfan_target_kind)kind, wsfan_string(text->text) };
}

START_TEST(a_session_is_addressed_by_its_address_and_everyone_by_their_node) {
    const wsfan_recipient *r;
    address_text text;
    begin(&LIMITS);
    wsfan_session a = open_session(1);
    wsfan_session b = open_session(2);
    wsfan_target one = address_target(WSFAN_SESSION, NODE, a.id, &text);
    ck_assert_uint_eq(collect(&one, 1, 0, &r), 1);
    ck_assert_uint_eq(r[0].session.id, a.id);
    ck_assert_uint_eq(collect(&one, 1, a.id, &r), 0);
    one = address_target(WSFAN_SESSION, NODE + 1, a.id, &text);
    ck_assert_uint_eq(collect(&one, 1, 0, &r), 0);
    close_session(a);
    one = address_target(WSFAN_SESSION, NODE, a.id, &text);
    ck_assert_uint_eq(collect(&one, 1, 0, &r), 0); /* stale */
    one = address_target(WSFAN_SESSION, NODE, UINT64_MAX, &text);
    ck_assert_uint_eq(collect(&one, 1, 0, &r), 0);
    open_session(3); /* in the slot that is free */
    one = address_target(WSFAN_SESSION, NODE, a.id, &text);
    ck_assert_uint_eq(collect(&one, 1, 0, &r), 0);
    one = address_target(WSFAN_NODE, NODE, 0, &text);
    ck_assert_uint_eq(collect(&one, 1, 0, &r), 2);
    ck_assert_uint_eq(collect(&one, 1, b.id, &r), 1);
    one = address_target(WSFAN_NODE, NODE + 1, 0, &text);
    ck_assert_uint_eq(collect(&one, 1, 0, &r), 0);
    wsf_registry_destroy(&registry);
}
END_TEST

/* Sixteen sessions in random chats, of random users, under random addressing, against a loop. */
START_TEST(under_any_addressing_a_session_is_chosen_once_or_left_out) {
    enum { SESSIONS = 16, NAMES = 4, TARGETS = 6, ROUNDS = 3000 };
    static const int kinds[] = { WSFAN_CHAT,     WSFAN_USER,        WSFAN_ALL,
                                 WSFAN_SESSION,  WSFAN_NODE,        WSFAN_NOT_CHAT,
                                 WSFAN_NOT_USER, WSFAN_NOT_SESSION, WSFAN_NOT_NODE };
    static const char *const names[NAMES] = { "a", "b", "c", "d" };
    uint64_t random = 5;
    begin(&LIMITS);
    wsfan_session sessions[SESSIONS];
    bool in[SESSIONS][2][NAMES] = { 0 }; /* chats, users */
    bool parked[SESSIONS][NAMES] = { 0 };
    for (int s = 0; s < SESSIONS; s++) {
        int user = (int)(next_random(&random) % NAMES);
        sessions[s] = open_session((unsigned)s);
        ck_assert_int_eq(join(sessions[s], WSFAN_USER, names[user]), WSFAN_OK);
        in[s][1][user] = true;
        for (int c = 0; c < NAMES; c++)
            if (next_random(&random) % 2 == 0) {
                ck_assert_int_eq(join(sessions[s], WSFAN_CHAT, names[c]), WSFAN_OK);
                in[s][0][c] = true;
                if ((parked[s][c] = next_random(&random) % 4 == 0))
                    park(sessions[s], names[c]);
            }
    }
    for (int round = 0; round < ROUNDS; round++) {
        wsfan_target targets[TARGETS];
        address_text texts[TARGETS];
        bool chosen[SESSIONS] = { 0 };
        bool left_out[SESSIONS] = { 0 };
        uint32_t count = 1 + (uint32_t)(next_random(&random) % TARGETS);
        for (uint32_t t = 0; t < count; t++) {
            int kind = kinds[next_random(&random) % (sizeof kinds / sizeof *kinds)];
            int base = kind & ~WSF_NOT;
            int name = (int)(next_random(&random) % NAMES);
            int of = (int)(next_random(&random) % SESSIONS);
            uint64_t node = NODE + next_random(&random) % 3 / 2;
            if (base == WSFAN_SESSION || base == WSFAN_NODE)
                targets[t] = address_target(kind, node, base == WSFAN_NODE ? 0 : sessions[of].id,
                                            &texts[t]);
            else
                targets[t] = (wsfan_target){ (wsfan_target_kind)kind,
                                             base == WSFAN_ALL ? (wsfan_bytes){ NULL, 0 }
                                                               : wsfan_string(names[name]) };
            for (int s = 0; s < SESSIONS; s++) {
                bool hit = base == WSFAN_ALL ||
                           (base == WSFAN_CHAT && in[s][0][name] &&
                            (kind != base || !parked[s][name])) ||
                           (base == WSFAN_USER && in[s][1][name]) ||
                           (base == WSFAN_SESSION && node == NODE && s == of) ||
                           (base == WSFAN_NODE && node == NODE);
                *(kind == base ? &chosen[s] : &left_out[s]) |= hit;
            }
        }
        const wsfan_recipient *r;
        uint64_t except = next_random(&random) % 3 == 0 ? sessions[0].id : 0;
        size_t found = collect(targets, count, except, &r);
        bool got[SESSIONS] = { 0 };
        for (size_t i = 0; i < found; i++) {
            uintptr_t who = (uintptr_t)r[i].session_user;
            ck_assert_msg(!got[who], "round %d: twice", round);
            got[who] = true;
        }
        for (int s = 0; s < SESSIONS; s++)
            ck_assert_msg(got[s] == (chosen[s] && !left_out[s] && sessions[s].id != except),
                          "round %d: session %d", round, s);
    }
    wsf_registry_destroy(&registry);
}
END_TEST

SUITE_MAIN("registry", members_of_a_chat_are_found_with_their_user_pointers,
           a_closed_session_is_stale_even_when_its_slot_is_used_again,
           a_session_of_another_loop_is_told_apart_from_a_closed_one,
           a_session_is_collected_once_however_many_targets_name_it,
           a_chat_and_a_user_of_one_name_are_two_things,
           recipients_stay_readable_while_sessions_open_and_close,
           two_names_with_one_hash_are_twins_and_stay_apart,
           each_limit_holds_at_the_limit_and_refuses_one_more,
           a_join_that_outlives_its_audience_is_not_expected,
           a_parked_member_is_a_member_that_gets_no_message,
           who_is_addressed_by_a_request_may_be_parked, it_agrees_with_a_model_under_random_change,
           a_session_is_addressed_by_its_address_and_everyone_by_their_node,
           under_any_addressing_a_session_is_chosen_once_or_left_out)
