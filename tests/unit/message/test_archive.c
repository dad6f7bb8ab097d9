#include "archives.h"
#include "runs.h"

/* ------------------------------------------------------------------------------- what is kept */

START_TEST(all_that_a_message_is_made_of_is_kept) {
    begin_counting();
    wsf_archive archive;
    wsf_archive_init(&archive, &LIMITS, 1);
    uint32_t chat = open_chat(&archive, "lobby");
    say(&archive, "lobby", 1, 7, 5, 1000);
    wsfan_target targets[] = { { WSFAN_USER, { "u", 1 } },
                               { WSFAN_CHAT, { "lobby", 5 } },
                               { WSFAN_NOT_CHAT, { "other", 5 } },
                               { WSFAN_ALL, { NULL, 0 } },
                               { WSFAN_CHAT, { "lobby", 5 } } };
    wsf_message_parts parts = { .targets = targets,
                                .targets_count = 5,
                                .headroom_size = 14,
                                .payload = wsfan_string("hello"),
                                .flags = WSFAN_BINARY,
                                .except = { 3, 4 },
                                .slot = 99 };
    keep_parts(&archive, &parts, id_of(2, 8), 1010);
    wsf_kept_list *list = list_all(&archive, chat, 1030);
    wsf_archive_destroy(&archive);     /* a list has all that it names */
    ck_assert_uint_eq(list->count, 2); /* the chat was named twice */
    const wsf_kept *first = &list->messages[0];
    assert_payload(first, 5);
    ck_assert_uint_eq(first->id.origin, 7);
    ck_assert_uint_eq(first->age_ms, 30);
    ck_assert_uint_eq(first->parts.flags, 0);
    ck_assert_uint_eq(first->parts.targets_count, 1);
    ck_assert_int_eq(first->parts.targets[0].kind, WSFAN_CHAT);
    ck_assert_mem_eq(first->parts.targets[0].name.data, "lobby", 5);
    ck_assert_uint_eq(first->parts.except.node, 0);
    const wsf_kept *second = &list->messages[1];
    ck_assert_uint_eq(second->id.clock, 2);
    ck_assert_uint_eq(second->age_ms, 20);
    ck_assert_mem_eq(second->parts.payload.data, "hello", 5);
    ck_assert_uint_eq(second->parts.flags, WSFAN_BINARY);
    ck_assert_uint_eq(second->parts.except.node, 3);
    ck_assert_uint_eq(second->parts.except.session, 4);
    ck_assert_uint_eq(second->parts.slot, 99);
    ck_assert_uint_eq(second->parts.targets_count, 5);
    for (int i = 0; i < 5; i++) {
        ck_assert_int_eq(second->parts.targets[i].kind, targets[i].kind);
        ck_assert_uint_eq(second->parts.targets[i].name.size, targets[i].name.size);
        ck_assert(wsf_same_bytes(second->parts.targets[i].name.data, targets[i].name.data,
                                 targets[i].name.size));
    }
    wsf_kept_list_free(list);
    end_counting();
}
END_TEST

START_TEST(only_messages_to_open_chats_that_are_not_fleeting_are_kept) {
    begin_counting();
    wsf_archive archive;
    wsf_archive_init(&archive, &LIMITS, 1);
    uint32_t chat = open_chat(&archive, "lobby");
    say(&archive, "other", 1, 7, 5, 0);
    wsfan_target user = { WSFAN_USER, { "lobby", 5 } };
    wsf_message_parts parts = { .targets = &user, .targets_count = 1 };
    keep_parts(&archive, &parts, id_of(2, 7), 0);
    user.kind = WSFAN_CHAT;
    parts.flags = WSFAN_FLEETING;
    keep_parts(&archive, &parts, id_of(3, 7), 0);
    ck_assert_uint_eq(archive.stats.messages, 0);
    ck_assert_uint_eq(wsf_archive_floor(&archive, chat, 7), 0); /* nothing is missing */
    parts.flags = WSFAN_BINARY;
    keep_parts(&archive, &parts, id_of(4, 7), 0);
    ck_assert_uint_eq(archive.stats.messages, 1);
    wsf_archive_destroy(&archive);
    end_counting();
}
END_TEST

START_TEST(each_message_of_a_run_is_kept_in_its_chat) {
    begin_counting();
    static wsf_run_writer writer;
    static const char *const chats[] = { "a", "b", "c" };
    wsf_hash_key key = hash_key();
    wsf_archive archive;
    wsf_archive_init(&archive, &LIMITS, 1);
    uint32_t numbers[] = { open_chat(&archive, "a"), open_chat(&archive, "c") };
    wsfan_message *run = run_begin(&writer, 16384);
    for (uint32_t i = 0; i < 60; i++) {
        uint8_t payload[40];
        ck_assert(run_write(&writer, chats[i % 3], (wsfan_address){ 0, 0 },
                            numbered(payload, i, 4 + i % 36)));
    }
    wsfan_target fleeting = { WSFAN_CHAT, { "a", 1 } };
    wsf_message_parts parts = { .targets = &fleeting, .targets_count = 1, .flags = WSFAN_FLEETING };
    ck_assert(wsf_run_write(&writer, &parts));
    run_know(run, &key);
    run->id = id_of(1000, 9);
    wsf_archive_keep(&archive, run, 5);
    wsfan_message_unref(run);
    for (uint32_t c = 0; c < 2; c++) {
        wsf_kept_list *list = list_all(&archive, numbers[c], 5);
        ck_assert_uint_eq(list->count, 20);
        for (uint32_t i = 0; i < 20; i++) {
            uint32_t number = 3 * i + 2 * c;
            const wsf_kept *kept = &list->messages[i];
            ck_assert_uint_eq(number_of(kept->parts.payload), number);
            ck_assert_uint_eq(kept->parts.payload.size, 4 + number % 36);
            ck_assert_uint_eq(kept->id.clock, 1000 + number);
            ck_assert_uint_eq(kept->id.origin, 9);
            ck_assert_mem_eq(kept->parts.targets[0].name.data, c == 0 ? "a" : "c", 1);
        }
        wsf_kept_list_free(list);
    }
    wsf_archive_destroy(&archive);
    end_counting();
}
END_TEST

/* A large payload that is alone in its buffer is not copied; one that is a small part of a frame is. */
START_TEST(a_buffer_is_kept_only_for_a_payload_that_fills_it) {
    begin_counting();
    wsf_archive_limits limits = LIMITS;
    limits.chat_bytes_max = 1 << 20;
    wsf_archive archive;
    wsf_archive_init(&archive, &limits, 1);
    uint32_t chat = open_chat(&archive, "c");
    wsf_hash_key key = hash_key();
    wsfan_target target = { WSFAN_CHAT, { "c", 1 } };
    wsf_message_parts parts = { .targets = &target,
                                .targets_count = 1,
                                .payload = payload_of(id_of(1, 1), 60000),
                                .apart = true };
    wsfan_message *message = wsf_message_new(&key, &parts);
    message->id = id_of(1, 1);
    wsf_archive_keep(&archive, message, 0);
    ck_assert_uint_eq(atomic_load(&message->frame->refs), 2);
    wsfan_message_unref(message);
    ck_assert_uint_gt(archive.stats.bytes, 60000);
    wsf_buffer *frame = wsf_buffer_new(128 * 1024);
    frame->size = 128 * 1024;
    memcpy(frame->data + 1000, payload_of(id_of(2, 1), 60000).data, 60000);
    parts.apart = false;
    parts.payload.data = frame->data + 1000;
    message = wsf_message_slice(&key, &parts, frame);
    message->id = id_of(2, 1);
    wsf_archive_keep(&archive, message, 0);
    ck_assert_uint_eq(atomic_load(&frame->refs), 2); /* ours and the message's */
    wsfan_message_unref(message);
    wsf_buffer_unref(frame);
    wsf_kept_list *list = list_all(&archive, chat, 0);
    ck_assert_ptr_nonnull(list->messages[0].buffer);
    ck_assert_ptr_null(list->messages[1].buffer);
    wsf_archive_close(&archive, chat);
    ck_assert_uint_eq(archive.stats.bytes, 0);
    assert_payload(&list->messages[0], 60000);
    assert_payload(&list->messages[1], 60000);
    wsf_kept_list_free(list);
    wsf_archive_destroy(&archive);
    end_counting();
}
END_TEST

/* --------------------------------------------------------------------------------------- limits */

START_TEST(over_a_chats_count_its_oldest_goes_and_raises_the_floor) {
    begin_counting();
    wsf_archive archive;
    wsf_archive_init(&archive, &LIMITS, 1);
    uint32_t chat = open_chat(&archive, "c");
    for (uint64_t clock = 1; clock <= 250; clock++)
        say(&archive, "c", clock, clock % 3, 20, 0);
    assert_clocks(&archive, chat, 0, 151, 250);
    for (uint64_t origin = 0; origin < 3; origin++)
        ck_assert_uint_eq(wsf_archive_floor(&archive, chat, origin), 148 + (origin + 2) % 3);
    ck_assert_uint_eq(wsf_archive_floor(&archive, chat, 9), 0);
    ck_assert_uint_eq(archive.stats.messages, 100);
    ck_assert_uint_eq(archive.stats.evicted, 150);
    wsf_archive_destroy(&archive);
    end_counting();
}
END_TEST

START_TEST(over_a_chats_bytes_its_oldest_goes) {
    begin_counting();
    wsf_archive_limits limits = LIMITS;
    limits.chat_bytes_max = 10 * (HEAD + 104);
    wsf_archive archive;
    wsf_archive_init(&archive, &limits, 1);
    uint32_t chat = open_chat(&archive, "c");
    for (uint64_t clock = 1; clock <= 25; clock++)
        say(&archive, "c", clock, 1, 100, 0);
    assert_clocks(&archive, chat, 0, 16, 25);
    say(&archive, "c", 26, 1, 101, 0); /* all the same: a multiple of eight */
    assert_clocks(&archive, chat, 0, 17, 26);
    say(&archive, "c", 27, 1, 105, 0);
    assert_clocks(&archive, chat, 0, 19, 27);
    ck_assert_uint_eq(wsf_archive_floor(&archive, chat, 1), 18);
    wsf_archive_destroy(&archive);
    end_counting();
}
END_TEST

START_TEST(a_message_larger_than_a_chats_bytes_raises_the_floor_at_once) {
    begin_counting();
    wsf_archive archive;
    wsf_archive_init(&archive, &LIMITS, 1);
    uint32_t chat = open_chat(&archive, "c");
    say(&archive, "c", 1, 1, 100, 0);
    say(&archive, "c", 2, 2, LIMITS.chat_bytes_max - HEAD + 1, 0);
    ck_assert_uint_eq(wsf_archive_floor(&archive, chat, 2), 2);
    ck_assert_uint_eq(wsf_archive_floor(&archive, chat, 1), 0);
    assert_clocks(&archive, chat, 0, 1, 1);
    say(&archive, "c", 3, 2, LIMITS.chat_bytes_max - HEAD, 0); /* alone it has room */
    assert_clocks(&archive, chat, 0, 3, 3);
    wsf_archive_destroy(&archive);
    end_counting();
}
END_TEST

START_TEST(what_is_too_old_is_never_listed_and_its_memory_goes) {
    begin_counting();
    wsf_archive archive;
    wsf_archive_init(&archive, &LIMITS, 1);
    uint32_t chat = open_chat(&archive, "c");
    size_t empty = archive.stats.bytes;
    for (uint64_t clock = 1; clock <= 20; clock++)
        say(&archive, "c", clock, 1, 20, clock * 1000);
    assert_clocks(&archive, chat, 10000 + LIMITS.age_ms_max, 10, 20);
    ck_assert_uint_eq(wsf_archive_floor(&archive, chat, 1), 9);
    ck_assert_uint_eq(archive.stats.expired, 9);
    ck_assert(wsf_archive_expire(&archive, 20000 + LIMITS.age_ms_max));
    ck_assert_uint_eq(archive.stats.messages, 11); /* one of their chunk is young */
    ck_assert(wsf_archive_expire(&archive, 20001 + LIMITS.age_ms_max));
    ck_assert_uint_eq(archive.stats.messages, 0);
    ck_assert_uint_eq(archive.stats.expired, 20);
    ck_assert_uint_eq(archive.stats.bytes, empty + 1); /* and the name */
    ck_assert_uint_eq(wsf_archive_floor(&archive, chat, 1), 20);
    wsf_archive_destroy(&archive);
    end_counting();
}
END_TEST

START_TEST(much_that_is_too_old_goes_in_slices) {
    begin_counting();
    wsf_archive_limits limits = LIMITS;
    limits.count_max = 20000;
    limits.chat_bytes_max = 1 << 20;
    wsf_archive archive;
    wsf_archive_init(&archive, &limits, 1);
    open_chat(&archive, "c");
    for (uint64_t clock = 1; clock <= 10000; clock++)
        say(&archive, "c", clock, 1, 8, 0);
    uint64_t before = archive.stats.messages;
    ck_assert(!wsf_archive_expire(&archive, LIMITS.age_ms_max + 1));
    ck_assert_uint_gt(archive.stats.messages, 0);
    ck_assert_uint_lt(archive.stats.messages, before - 4000);
    while (!wsf_archive_expire(&archive, LIMITS.age_ms_max + 1))
        ;
    ck_assert_uint_eq(archive.stats.messages, 0);
    wsf_archive_destroy(&archive);
    end_counting();
}
END_TEST

/* A chat that is quiet is older than one that fills its only chunk now and then. */
START_TEST(over_the_nodes_bytes_the_oldest_chunk_of_all_goes) {
    begin_counting();
    wsf_archive_limits limits = LIMITS;
    wsf_archive archive;
    wsf_archive_init(&archive, &limits, 1);
    uint32_t quiet = open_chat(&archive, "quiet");
    uint32_t busy = open_chat(&archive, "busy");
    uint32_t other = open_chat(&archive, "other");
    say(&archive, "busy", 1, 1, 20, 0);
    say(&archive, "quiet", 2, 2, 20, 1);
    say(&archive, "busy", 3, 1, 20, 2);
    archive.limits.bytes_max = archive.stats.bytes + strlen("other");
    say(&archive, "other", 4, 3, 20, 3);
    ck_assert_uint_eq(wsf_archive_floor(&archive, quiet, 2), 2);
    ck_assert_uint_eq(wsf_archive_floor(&archive, busy, 1), 0);
    ck_assert_uint_eq(wsf_archive_floor(&archive, other, 3), 0);
    assert_clocks(&archive, other, 3, 4, 4);
    say(&archive, "other", 5, 3, 240,
        4); /* needs a larger chunk: its own is not the oldest, but goes too */
    ck_assert_uint_eq(wsf_archive_floor(&archive, busy, 1), 3);
    ck_assert_uint_le(archive.stats.bytes, archive.limits.bytes_max);
    wsf_archive_destroy(&archive);
    end_counting();
}
END_TEST

START_TEST(a_chat_that_has_no_room_is_not_opened) {
    begin_counting();
    wsf_archive_limits limits = LIMITS;
    limits.bytes_max = 1500;
    wsf_archive archive;
    wsf_archive_init(&archive, &limits, 1);
    uint32_t first = open_chat(&archive, "c");
    for (uint64_t clock = 1; clock < 10; clock++)
        say(&archive, "c", clock, 1, 150, 0);
    uint32_t number;
    uint64_t opened = 1;
    while (wsf_archive_open(&archive, 1000 + opened, &number) == WSFAN_OK)
        opened++;
    ck_assert_int_eq(wsf_archive_open(&archive, 1, &number), WSFAN_ELIMIT);
    ck_assert_uint_eq(archive.stats.messages, 0); /* they made room */
    ck_assert_uint_eq(wsf_archive_floor(&archive, first, 1), 9);
    ck_assert_uint_eq(archive.slots.count, opened);
    ck_assert_uint_gt(opened, 3);
    wsf_archive_close(&archive, first);
    ck_assert_int_eq(wsf_archive_open(&archive, 1, &number), WSFAN_OK);
    wsf_archive_destroy(&archive);
    end_counting();
}
END_TEST

/* -------------------------------------------------------------------------- older messages join */

typedef struct {
    wsf_kept messages[64];
    wsfan_target target;
    uint8_t payloads[64][32];
    uint32_t count;
} piece;

static void add(piece *to, uint64_t clock, uint64_t origin, uint32_t age_ms) {
    wsf_kept *kept = &to->messages[to->count];
    uint8_t *payload = to->payloads[to->count++];
    memcpy(payload, payload_of(id_of(clock, origin), 32).data, 32);
    to->target = (wsfan_target){ WSFAN_CHAT, { "c", 1 } };
    *kept = (wsf_kept){
        .id = id_of(clock, origin),
        .parts = { .targets = &to->target, .targets_count = 1, .payload = { payload, 32 } },
        .age_ms = age_ms
    };
}

static void merge(wsf_archive *archive, uint32_t chat, piece *from, uint64_t now) {
    ck_assert_int_eq(wsf_archive_merge(archive, chat, from->messages, from->count, now), WSFAN_OK);
    from->count = 0;
}

START_TEST(older_messages_join_without_doubles_and_go_first) {
    begin_counting();
    static piece older;
    wsf_archive_limits limits = LIMITS;
    limits.count_max = 10;
    wsf_archive archive;
    wsf_archive_init(&archive, &limits, 1);
    uint32_t chat = open_chat(&archive, "c");
    for (uint64_t clock = 5; clock <= 7; clock++)
        say(&archive, "c", clock, 1, 32, 100);
    wsf_archive_fill(&archive, chat);
    add(&older, 1, 1, 0);
    add(&older, 2, 1, 0);
    merge(&archive, chat, &older, 100);
    say(&archive, "c", 8, 1, 32, 100); /* meanwhile */
    add(&older, 2, 1, 0);
    add(&older, 3, 1, 0);
    add(&older, 3, 1, 0);
    add(&older, 6, 1, 0);
    add(&older, 4, 1, 0); /* not in order: not taken */
    add(&older, 9, 1, 0);
    merge(&archive, chat, &older, 100);
    say(&archive, "c", 9, 1, 32, 100); /* it was told of already */
    say(&archive, "c", 10, 1, 32, 100);
    wsf_kept_list *list = list_all(&archive, chat, 100);
    static const uint64_t clocks[] = { 1, 2, 3, 5, 6, 7, 8, 9, 10 };
    ck_assert_uint_eq(list->count, 9);
    for (uint32_t i = 0; i < 9; i++) {
        ck_assert_uint_eq(list->messages[i].id.clock, clocks[i]);
        assert_payload(&list->messages[i], 32);
    }
    wsf_kept_list_free(list);
    say(&archive, "c", 11, 1, 32, 100);
    say(&archive, "c", 12, 1, 32, 100);
    say(&archive, "c", 13, 1, 32, 100);
    ck_assert_uint_eq(wsf_archive_floor(&archive, chat, 1), 2);
    wsf_archive_destroy(&archive);
    end_counting();
}
END_TEST

START_TEST(what_joins_goes_first_even_where_nothing_was_before) {
    begin_counting();
    static piece older;
    wsf_archive_limits limits = LIMITS;
    limits.count_max = 4;
    wsf_archive archive;
    wsf_archive_init(&archive, &limits, 1);
    uint32_t chat = open_chat(&archive, "c");
    wsf_archive_fill(&archive, chat);
    add(&older, 1, 1, 0);
    add(&older, 2, 1, 0);
    merge(&archive, chat, &older, 0);
    say(&archive, "c", 4, 2, 32, 0);
    add(&older, 3, 1, 0);
    merge(&archive, chat, &older, 0);
    for (uint64_t clock = 5; clock <= 7; clock++)
        say(&archive, "c", clock, 2, 32, 0);
    assert_clocks(&archive, chat, 0, 4, 7);
    ck_assert_uint_eq(wsf_archive_floor(&archive, chat, 1), 3);
    ck_assert_uint_eq(wsf_archive_floor(&archive, chat, 2), 0);
    wsf_archive_destroy(&archive);
    end_counting();
}
END_TEST

/* An age may be any number: it is from another node. */
START_TEST(what_is_too_old_does_not_join) {
    begin_counting();
    static piece older;
    wsf_archive archive;
    wsf_archive_init(&archive, &LIMITS, 1);
    uint32_t chat = open_chat(&archive, "c");
    wsf_archive_fill(&archive, chat);
    add(&older, 1, 1, LIMITS.age_ms_max + 1);
    add(&older, 2, 1, UINT32_MAX);
    add(&older, 3, 1, LIMITS.age_ms_max);
    merge(&archive, chat, &older, 100);
    ck_assert_uint_eq(archive.stats.messages, 1);
    ck_assert_uint_eq(archive.stats.expired, 2);
    ck_assert_uint_eq(wsf_archive_floor(&archive, chat, 1), 2);
    wsf_archive_destroy(&archive);
    end_counting();
}
END_TEST

START_TEST(older_messages_do_not_push_out_newer_ones) {
    begin_counting();
    static piece older;
    wsf_archive_limits limits = LIMITS;
    limits.count_max = 10;
    wsf_archive archive;
    wsf_archive_init(&archive, &limits, 1);
    uint32_t chat = open_chat(&archive, "c");
    for (uint64_t clock = 101; clock <= 106; clock++)
        say(&archive, "c", clock, 1, 32, 0);
    wsf_archive_fill(&archive, chat);
    for (uint64_t clock = 1; clock <= 50; clock++)
        add(&older, clock, 2, 0);
    merge(&archive, chat, &older, 0);
    wsf_kept_list *list = list_all(&archive, chat, 0);
    ck_assert_uint_eq(list->count, 10);
    ck_assert_uint_eq(list->messages[0].id.clock, 47); /* the newest of those */
    ck_assert_uint_eq(list->messages[4].id.clock, 101);
    wsf_kept_list_free(list);
    ck_assert_uint_eq(wsf_archive_floor(&archive, chat, 2), 46);
    for (uint64_t clock = 107; clock <= 110; clock++)
        say(&archive, "c", clock, 1, 32, 0);
    wsf_archive_fill(&archive, chat);
    add(&older, 50, 3, 0);
    merge(&archive, chat, &older, 0);
    assert_clocks(&archive, chat, 0, 101, 110);
    ck_assert_uint_eq(wsf_archive_floor(&archive, chat, 3), 50);
    wsf_archive_destroy(&archive);
    end_counting();
}
END_TEST

START_TEST(a_message_that_joins_is_as_old_as_it_was_elsewhere) {
    begin_counting();
    static piece older;
    wsf_archive archive;
    wsf_archive_init(&archive, &LIMITS, 1);
    uint32_t chat = open_chat(&archive, "c");
    say(&archive, "c", 10, 1, 32, 5000);
    wsf_archive_fill(&archive, chat);
    add(&older, 1, 1, LIMITS.age_ms_max + 1); /* too old by now */
    add(&older, 2, 1, 40000);
    add(&older, 3, 1, 30000);
    add(&older, 4, 1, 1000);
    add(&older, 5, 1, 1500); /* not older than what joined before it */
    merge(&archive, chat, &older, 7000);
    wsf_kept_list *list = list_all(&archive, chat, 7000);
    static const uint32_t ages[] = { 40000, 30000, 1000, 1000, 2000 };
    ck_assert_uint_eq(list->count, 5);
    for (uint32_t i = 0; i < 5; i++)
        ck_assert_uint_eq(list->messages[i].age_ms, ages[i]);
    wsf_kept_list_free(list);
    ck_assert_uint_eq(wsf_archive_floor(&archive, chat, 1), 1);
    list = list_all(&archive, chat, 7000 + 20001);
    ck_assert_uint_eq(list->count, 4);
    wsf_kept_list_free(list);
    ck_assert_uint_eq(wsf_archive_floor(&archive, chat, 1), 2);
    wsf_archive_destroy(&archive);
    end_counting();
}
END_TEST

/* Another node had messages of the time between those that are here, some of another size than the ones around them. */
START_TEST(what_joins_goes_neither_before_nor_after_its_time) {
    enum { EACH_MS = 100, COUNT = 200 };
    begin_counting();
    static piece older;
    wsf_archive_limits limits = LIMITS;
    limits.count_max = COUNT;
    wsf_archive archive;
    wsf_archive_init(&archive, &limits, 1);
    uint32_t chat = open_chat(&archive, "c");
    uint64_t now = 0;
    for (uint64_t clock = 1; clock <= COUNT; clock++, now += EACH_MS)
        if (clock % 4 == 0)
            say(&archive, "c", clock, 1 + clock % 3, (uint32_t)clock, now);
    for (uint64_t part = 1; part <= 3; part += 2) { /* the second time there is more around them */
        wsf_archive_fill(&archive, chat);
        for (uint64_t clock = 1; clock <= COUNT; clock++) {
            if (clock % 4 == part || (part == 3 && clock % 4 == 2))
                add(&older, clock, 1 + clock % 3, (uint32_t)(now - (clock - 1) * EACH_MS));
            if (older.count == 7 || clock == COUNT)
                merge(&archive, chat, &older, now);
        }
    }
    for (uint64_t given_up = 0; given_up < COUNT; given_up += 9) {
        uint64_t at = LIMITS.age_ms_max + given_up * EACH_MS;
        wsf_kept_list *list = list_all(&archive, chat, at);
        ck_assert_uint_eq(list->count, COUNT - given_up);
        for (uint32_t i = 0; i < list->count; i++) {
            uint64_t clock = list->messages[i].id.clock;
            ck_assert_uint_eq(clock, given_up + 1 + i);
            assert_payload(&list->messages[i], clock % 4 == 0 ? (uint32_t)clock : 32);
        }
        wsf_kept_list_free(list);
    }
    wsf_archive_destroy(&archive);
    end_counting();
}
END_TEST

START_TEST(where_a_chat_is_full_the_oldest_go_for_what_joins) {
    begin_counting();
    static piece older;
    wsf_archive_limits limits = LIMITS;
    limits.count_max = 4;
    wsf_archive archive;
    wsf_archive_init(&archive, &limits, 1);
    uint32_t chat = open_chat(&archive, "c");
    for (uint64_t clock = 10; clock <= 40; clock += 10)
        say(&archive, "c", clock, 1, 32, clock);
    wsf_archive_fill(&archive, chat);
    add(&older, 5, 2, 95);  /* older than all */
    add(&older, 25, 2, 75); /* for this the first goes */
    merge(&archive, chat, &older, 100);
    wsf_kept_list *list = list_all(&archive, chat, 100);
    ck_assert_uint_eq(list->count, 4);
    ck_assert_uint_eq(list->messages[0].id.clock, 20);
    ck_assert_uint_eq(list->messages[1].id.clock, 25);
    wsf_kept_list_free(list);
    ck_assert_uint_eq(wsf_archive_floor(&archive, chat, 1), 10);
    ck_assert_uint_eq(wsf_archive_floor(&archive, chat, 2), 5);
    wsf_archive_destroy(&archive);
    end_counting();
}
END_TEST

START_TEST(since_and_floors_become_lower_but_not_below_what_went_meanwhile) {
    begin_counting();
    static piece older;
    wsf_archive_limits limits = LIMITS;
    limits.count_max = 4;
    wsf_archive archive;
    wsf_archive_init(&archive, &limits, 1);
    uint32_t chat = open_chat(&archive, "c");
    ck_assert_uint_eq(wsf_archive_since(&archive, chat, 1), UINT64_MAX);
    wsf_archive_extend(&archive, chat, 0, 100, UINT64_MAX); /* begins */
    ck_assert_uint_eq(wsf_archive_since(&archive, chat, 1), 100);
    ck_assert_uint_eq(wsf_archive_floor(&archive, chat, 1), 0);
    for (uint64_t clock = 101; clock <= 105; clock++)
        say(&archive, "c", clock, 1, 8, 0);
    ck_assert_uint_eq(wsf_archive_floor(&archive, chat, 1), 101);
    wsf_archive_fill(&archive, chat);
    add(&older, 80, 2, 0); /* there is no room for it */
    merge(&archive, chat, &older, 0);
    wsf_archive_extend(&archive, chat, 1, 50, 40);
    wsf_archive_extend(&archive, chat, 2, 60, 40);
    ck_assert_uint_eq(wsf_archive_since(&archive, chat, 1), 50);
    ck_assert_uint_eq(wsf_archive_since(&archive, chat, 2), 60);
    ck_assert_uint_eq(wsf_archive_since(&archive, chat, 3), 100);
    ck_assert_uint_eq(wsf_archive_floor(&archive, chat, 1), 80);
    ck_assert_uint_eq(wsf_archive_floor(&archive, chat, 2), 80);
    ck_assert_uint_eq(wsf_archive_floor(&archive, chat, 3), 0);
    wsf_archive_extend(&archive, chat, 1, 55, 90); /* neither is lower */
    ck_assert_uint_eq(wsf_archive_since(&archive, chat, 1), 50);
    ck_assert_uint_eq(wsf_archive_floor(&archive, chat, 1), 80);
    wsf_archive_destroy(&archive);
    end_counting();
}
END_TEST

/* --------------------------------------------------------------------------------------- queries */

START_TEST(a_query_takes_what_a_position_does_not_cover) {
    begin_counting();
    wsf_archive archive;
    wsf_archive_init(&archive, &LIMITS, 1);
    uint32_t chat = open_chat(&archive, "c");
    for (uint64_t clock = 1; clock <= 30; clock++)
        say(&archive, "c", clock / 3 + 1, clock % 3 + 1, 8, 0); /* the same clock of three */
    wsf_vector above;
    wsf_vector_init(&above, 5);
    ck_assert(wsf_vector_raise(&above, 2, 9) && wsf_vector_pin(&above, 3, 2));
    wsf_kept_query query = { .above = &above };
    wsf_kept_list *all = list_all(&archive, chat, 0);
    wsf_kept_list *list = wsf_archive_list(&archive, chat, &query, 0);
    uint32_t found = 0;
    for (uint32_t i = 0; i < all->count; i++)
        if (!wsf_vector_covers(&above, all->messages[i].id)) {
            ck_assert_uint_lt(found, list->count);
            ck_assert_uint_eq(list->messages[found].id.clock, all->messages[i].id.clock);
            ck_assert_uint_eq(list->messages[found++].id.origin, all->messages[i].id.origin);
        }
    ck_assert_uint_eq(found, list->count);
    ck_assert_uint_gt(found, 0);
    wsf_kept_list_free(list);
    wsf_vector up_to;
    wsf_vector_init(&up_to, UINT64_MAX);
    ck_assert(wsf_vector_pin(&up_to, 1, 7));
    query.up_to = &up_to;
    list = wsf_archive_list(&archive, chat, &query, 0);
    uint32_t beyond = 0;
    for (uint32_t i = 0; i < all->count; i++)
        beyond += all->messages[i].id.origin == 1 && all->messages[i].id.clock > 7;
    ck_assert_uint_gt(beyond, 0);
    ck_assert_uint_eq(list->count, found - beyond);
    for (uint32_t i = 0; i < list->count; i++)
        ck_assert(list->messages[i].id.origin != 1 || list->messages[i].id.clock <= 7);
    wsf_kept_list_free(list);
    query.up_to = NULL;
    query.last_max = 3;
    list = wsf_archive_list(&archive, chat, &query, 0);
    ck_assert_uint_eq(list->count, 3);
    ck_assert_uint_eq(list->messages[2].id.clock, all->messages[all->count - 1].id.clock);
    ck_assert_uint_eq(list->messages[0].id.clock, all->messages[all->count - 3].id.clock);
    wsf_kept_list_free(list);
    wsf_kept_list_free(all);
    wsf_archive_destroy(&archive);
    end_counting();
}
END_TEST

START_TEST(pages_make_the_whole) {
    begin_counting();
    wsf_archive archive;
    wsf_archive_init(&archive, &LIMITS, 1);
    uint32_t chat = open_chat(&archive, "c");
    for (uint64_t clock = 1; clock <= 40; clock++)
        say(&archive, "c", clock, 1, clock % 10 == 0 ? 1000 : 8, 0);
    for (uint64_t bytes_max = 1; bytes_max < 3000; bytes_max = bytes_max * 3) {
        wsf_kept_query query = { .bytes_max = bytes_max };
        bool more = true;
        while (more) {
            wsf_kept_list *list = wsf_archive_list(&archive, chat, &query, 0);
            uint64_t bytes = 0;
            ck_assert_uint_gt(list->count, 0);
            for (uint32_t i = 0; i < list->count; i++) {
                bytes += HEAD + list->messages[i].parts.payload.size;
                ck_assert_uint_eq(list->messages[i].id.clock, query.after.clock + 1 + i);
            }
            ck_assert(list->count == 1 || bytes <= bytes_max);
            query.after = list->messages[list->count - 1].id;
            more = list->more;
            wsf_kept_list_free(list);
        }
        ck_assert_uint_eq(query.after.clock, 40);
    }
    wsf_archive_destroy(&archive);
    end_counting();
}
END_TEST

SUITE_MAIN("archive", all_that_a_message_is_made_of_is_kept,
           only_messages_to_open_chats_that_are_not_fleeting_are_kept,
           each_message_of_a_run_is_kept_in_its_chat,
           a_buffer_is_kept_only_for_a_payload_that_fills_it,
           over_a_chats_count_its_oldest_goes_and_raises_the_floor,
           over_a_chats_bytes_its_oldest_goes,
           a_message_larger_than_a_chats_bytes_raises_the_floor_at_once,
           what_is_too_old_is_never_listed_and_its_memory_goes, much_that_is_too_old_goes_in_slices,
           over_the_nodes_bytes_the_oldest_chunk_of_all_goes, a_chat_that_has_no_room_is_not_opened,
           older_messages_join_without_doubles_and_go_first,
           what_joins_goes_first_even_where_nothing_was_before, what_is_too_old_does_not_join,
           older_messages_do_not_push_out_newer_ones,
           a_message_that_joins_is_as_old_as_it_was_elsewhere,
           what_joins_goes_neither_before_nor_after_its_time,
           where_a_chat_is_full_the_oldest_go_for_what_joins,
           since_and_floors_become_lower_but_not_below_what_went_meanwhile,
           a_query_takes_what_a_position_does_not_cover, pages_make_the_whole)
