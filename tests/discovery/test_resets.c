/* TCP connections that are reset at random, in a network namespace (namespace.sh): every node finds every
 * other again, whatever became of which socket. */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <wsfan/peers.h>
#include <wsfan/wsfan.h>

#include "live.h"
#include "suite.h"

enum { NODES = 4, ROUNDS = 3, RESETS_MS = 8000 };

static wsfan_node *nodes[NODES];
static bool is_up[NODES][NODES];
static unsigned downs;

static void run(const char *command) {
    ck_assert_msg(system(command) == 0, "%s", command);
}

static void on_peer(void *user, const wsfan_peer *peer) {
    if (peer->event == WSFAN_PEER_REFUSED || peer->name[0] != 'n')
        return;
    ((bool *)user)[peer->name[1] - '0'] = peer->event == WSFAN_PEER_UP;
    downs += peer->event == WSFAN_PEER_DOWN;
}

static bool all_up(void) {
    for (int i = 0; i < NODES; i++)
        for (int j = 0; j < NODES; j++)
            if (i != j && !is_up[i][j])
                return false;
    return true;
}

static void start(int i, const wsfan_options *usual, const char *const *peers) {
    static const wsfan_callbacks callbacks = { .struct_size = sizeof callbacks,
                                               .on_peer = on_peer };
    wsfan_options options = *usual;
    char name[8];
    snprintf(name, sizeof name, "n%d", i);
    options.name = name;
    options.endpoint = peers[i];
    options.peers = peers;
    options.peers_count = NODES;
    ck_assert_int_eq(wsfan_node_open(&nodes[i], &options), WSFAN_OK);
    ck_assert_int_eq(wsfan_loop_open(&live[i], nodes[i], &callbacks, is_up[i]), WSFAN_OK);
}

static void meet_after_resets(const char *secret_key) {
    static const char *const peers[NODES] = { "tcp://127.0.1.1:7000", "tcp://127.0.1.2:7000",
                                              "tcp://127.0.1.3:7000", "tcp://127.0.1.4:7000" };
    wsfan_options options = quick_options(NULL);
    options.secret_key = secret_key;
    memset(is_up, 0, sizeof is_up);
    downs = 0;
    for (int i = 0; i < NODES; i++)
        start(i, &options, peers);
    WAIT(all_up());
    for (int round = 0; round < ROUNDS; round++) {
        run("nft add table inet resets;"
            "nft add chain inet resets in '{ type filter hook input priority 0; }';"
            "nft add rule inet resets in tcp dport 7000 numgen random mod 100 \\< 20 reject with "
            "tcp reset;"
            "nft add rule inet resets in tcp sport 7000 numgen random mod 100 \\< 20 reject with "
            "tcp reset");
        int64_t begin_ms = now_ms();
        WAIT(now_ms() - begin_ms > RESETS_MS);
        run("nft delete table inet resets");
        WAIT(all_up());
    }
    ck_assert_uint_gt(downs, 0);
    for (int i = 0; i < NODES; i++) {
        ck_assert_int_eq(wsfan_loop_close(live[i]), WSFAN_OK);
        live[i] = NULL;
        ck_assert_int_eq(wsfan_node_close(nodes[i]), WSFAN_OK);
    }
}

START_TEST(all_meet_again_after_resets) {
    meet_after_resets(NULL);
}
END_TEST

START_TEST(all_meet_again_after_resets_with_a_key) {
    meet_after_resets(
        "JTKVSB%%)wK0E.X)V>+}o?pNmC{O&4W4b!Ni{Lh6"); /* the example of ZeroMQ's RFC 26 */
}
END_TEST

SUITE_MAIN("resets", all_meet_again_after_resets, all_meet_again_after_resets_with_a_key)
