/* Rendezvous hashing: shares, and what moves. */
#include <stdio.h>
#include <string.h>

#include "core/routing/placement.h"
#include "suite.h"

enum { CHATS = 20000 };

static wsf_hash_key key;

static uint64_t chat_hash(unsigned i) {
    char name[16];
    snprintf(name, sizeof name, "chat %u", i);
    wsfan_target target = { WSFAN_CHAT, wsfan_string(name) };
    return wsf_hash_target(&key, &target);
}

/* Nodes named n<first>.. with these weights; ids are not the names' order. */
static wsf_view *view_of(unsigned first, unsigned count, const uint32_t *weights) {
    wsf_hash_key_init(&key, "placement");
    wsf_view *view = wsf_view_new(count);
    for (unsigned i = 0; i < count; i++) {
        wsf_placement_node *place = &view->places[i];
        snprintf(place->name, sizeof place->name, "n%u", first + i);
        place->node = 1000 - i;
        place->hash = wsf_placement_hash(&key, place->name);
        place->weight = weights != NULL ? weights[i] : 100;
    }
    return view;
}

static unsigned number_of(const wsf_placement_node *place) {
    return (unsigned)strtoul(place->name + 1, NULL, 10);
}

START_TEST(chats_spread_evenly_and_by_weight) {
    static const uint32_t weights[] = { 100, 100, 200, 1, 599 };
    unsigned owned[5] = { 0 };
    wsf_view *view = view_of(0, 5, weights);
    for (unsigned i = 0; i < CHATS; i++)
        owned[number_of(wsf_view_owner(view, chat_hash(i)))]++;
    for (unsigned n = 0; n < 5; n++) {
        double expected = CHATS * weights[n] / 1000.0;
        ck_assert_double_gt(owned[n], expected * 0.9 - 10);
        ck_assert_double_lt(owned[n], expected * 1.1 + 10);
    }
    wsf_view_unref(view);
}
END_TEST

START_TEST(only_the_chats_of_a_node_that_goes_move_and_to_all_the_others) {
    wsf_view *all = view_of(0, 4, NULL);
    wsf_view *without = view_of(1, 3, NULL); /* n0 is gone */
    unsigned taken[4] = { 0 };
    unsigned moved = 0;
    for (unsigned i = 0; i < CHATS; i++) {
        unsigned before = number_of(wsf_view_owner(all, chat_hash(i)));
        unsigned after = number_of(wsf_view_owner(without, chat_hash(i)));
        if (before != 0) {
            ck_assert_uint_eq(before, after);
            continue;
        }
        moved++;
        taken[after]++;
    }
    ck_assert_uint_gt(moved, CHATS / 4 * 9 / 10);
    ck_assert_uint_lt(moved, CHATS / 4 * 11 / 10);
    for (unsigned n = 1; n < 4; n++)
        ck_assert_uint_gt(taken[n], moved / 3 * 8 / 10);
    wsf_view_unref(all);
    wsf_view_unref(without);
}
END_TEST

START_TEST(a_weight_that_grows_moves_chats_to_its_node_only) {
    static const uint32_t before_weights[] = { 100, 100, 100 };
    static const uint32_t after_weights[] = { 100, 150, 100 };
    wsf_view *before = view_of(0, 3, before_weights);
    wsf_view *after = view_of(0, 3, after_weights);
    unsigned moved = 0;
    for (unsigned i = 0; i < CHATS; i++) {
        unsigned from = number_of(wsf_view_owner(before, chat_hash(i)));
        unsigned to = number_of(wsf_view_owner(after, chat_hash(i)));
        if (from == to)
            continue;
        ck_assert_uint_eq(to, 1);
        moved++;
    }
    ck_assert_uint_gt(moved, CHATS / 20);
    wsf_view_unref(before);
    wsf_view_unref(after);
}
END_TEST

START_TEST(the_answer_depends_on_names_and_not_on_order_or_id) {
    wsf_view *a = view_of(0, 5, NULL);
    wsf_view *b = wsf_view_new(5);
    for (unsigned i = 0; i < 5; i++) {
        b->places[i] = a->places[4 - i];
        b->places[i].node = i + 1; /* all were restarted */
    }
    for (unsigned i = 0; i < CHATS; i++)
        ck_assert_str_eq(wsf_view_owner(a, chat_hash(i))->name,
                         wsf_view_owner(b, chat_hash(i))->name);
    wsf_view_unref(a);
    wsf_view_unref(b);
}
END_TEST

/* What another build, another version or another machine must say too. */
START_TEST(owners_are_these_for_ever) {
    wsf_view *view = view_of(0, 5, (const uint32_t[]){ 100, 100, 200, 1, 599 });
    uint64_t sum = 0;
    for (unsigned i = 0; i < 1000; i++)
        sum = sum * 31 + number_of(wsf_view_owner(view, chat_hash(i)));
    ck_assert_uint_eq(sum, UINT64_C(9354043866477750664));
    wsf_view_unref(view);
}
END_TEST

START_TEST(nobody_owns_anything_where_there_is_no_place) {
    wsf_view *view = wsf_view_new(0);
    ck_assert_ptr_null(wsf_view_owner(view, 1));
    ck_assert_ptr_null(wsf_view_owner(view, UINT64_MAX));
    wsf_view_unref(view);
}
END_TEST

/* A copy without the nodes that come first. */
static wsf_view *without(const wsf_view *view, const wsf_placement_node *const *first,
                         uint32_t count) {
    wsf_view *rest = wsf_view_new(view->count);
    rest->count = 0;
    for (uint32_t i = 0; i < view->count; i++) {
        bool left_out = false;
        for (uint32_t k = 0; k < count; k++)
            left_out = left_out || first[k] == &view->places[i];
        if (!left_out)
            rest->places[rest->count++] = view->places[i];
    }
    return rest;
}

START_TEST(the_next_in_the_order_owns_a_chat_when_those_before_it_are_gone) {
    wsf_view *view = view_of(0, 5, (const uint32_t[]){ 100, 100, 200, 1, 599 });
    const wsf_placement_node *first[WSF_VIEW_FIRST_MAX];
    for (unsigned i = 0; i < CHATS / 10; i++) {
        ck_assert_uint_eq(wsf_view_first(view, chat_hash(i), 4, first), 4);
        for (uint32_t k = 0; k < 4; k++) {
            wsf_view *rest = without(view, first, k);
            ck_assert_uint_eq(wsf_view_owner(rest, chat_hash(i))->node, first[k]->node);
            wsf_view_unref(rest);
        }
    }
    ck_assert_uint_eq(wsf_view_first(view, chat_hash(0), 2, first), 2);
    wsf_view *one = view_of(0, 1, NULL);
    ck_assert_uint_eq(wsf_view_first(one, chat_hash(0), 4, first), 1);
    wsf_view_unref(one);
    wsf_view_unref(view);
}
END_TEST

SUITE_MAIN("placement", chats_spread_evenly_and_by_weight,
           only_the_chats_of_a_node_that_goes_move_and_to_all_the_others,
           a_weight_that_grows_moves_chats_to_its_node_only,
           the_answer_depends_on_names_and_not_on_order_or_id, owners_are_these_for_ever,
           nobody_owns_anything_where_there_is_no_place,
           the_next_in_the_order_owns_a_chat_when_those_before_it_are_gone)
