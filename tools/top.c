/* top.c - wsfan top: the nodes, and the links between them, as the nodes count them. */
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#include "snapshot.h"

enum { ANSWER_MS_MAX = 1000 }; /* a node that stalls is left out of the screen */

struct link {
    const struct statistic *state; /* of its node and peer */
    double messages;               /* in a second */
    double bytes;
    uint64_t queue;
    double round_trip_ms; /* of the frames of this time; below 0: there was none */
    uint64_t resent;
    uint64_t lost;
};

struct screen {
    const struct options *options;
    const char *cluster;
    struct snapshot before;
    struct snapshot now;
    struct link *links;
    size_t links_count;
    size_t links_up;
};

/* --------------------------------------------------------------------------------------------- links */

/* What is in trouble comes first, then what works most. */
static int by_trouble(const void *one, const void *two) {
    const struct link *a = one;
    const struct link *b = two;
    bool a_up = a->state->value == WSFAN_PEER_UP;
    bool b_up = b->state->value == WSFAN_PEER_UP;
    if (a_up != b_up)
        return a_up ? 1 : -1;
    if ((a->queue > 0) != (b->queue > 0))
        return a->queue > 0 ? -1 : 1;
    if (a->messages > b->messages || a->messages < b->messages)
        return a->messages > b->messages ? -1 : 1;
    if (a->state->node != b->state->node)
        return a->state->node < b->state->node ? -1 : 1;
    return (a->state->peer > b->state->peer) - (a->state->peer < b->state->peer);
}

static double round_trip_ms(const struct snapshot *now, const struct snapshot *before,
                            const struct statistic *s) {
    double count = snapshot_rate(now, before, s->node, s->peer, "round_trips");
    double sum = snapshot_rate(now, before, s->node, s->peer, "round_trips_ms");
    return count > 0 ? sum / count : -1;
}

static void find_links(struct screen *screen) {
    const struct snapshot *now = &screen->now;
    const struct snapshot *before = &screen->before;
    screen->links = make_room(screen->links, now->count, sizeof *screen->links);
    screen->links_count = screen->links_up = 0;
    for (size_t i = 0; i < now->count; i++) {
        const struct statistic *s = &now->statistics[i];
        if (s->peer == 0 || strcmp(s->name, "state") != 0)
            continue;
        screen->links_up += s->value == WSFAN_PEER_UP;
        screen->links[screen->links_count++] = (struct link){
            .state = s,
            .messages = snapshot_rate(now, before, s->node, s->peer, "messages_out"),
            .bytes = snapshot_rate(now, before, s->node, s->peer, "bytes_out"),
            .queue = snapshot_value(now, s->node, s->peer, "queue_count"),
            .round_trip_ms = round_trip_ms(now, before, s),
            .resent = snapshot_value(now, s->node, s->peer, "frames_resent"),
            .lost = snapshot_value(now, s->node, s->peer, "gap_out"),
        };
    }
    if (screen->links_count > 0)
        qsort(screen->links, screen->links_count, sizeof *screen->links, by_trouble);
}

static const char *name_of(const struct screen *screen, uint64_t id) {
    for (size_t i = 0; i < screen->now.nodes_count; i++)
        if (screen->now.nodes[i].id == id)
            return screen->now.nodes[i].name;
    return "?";
}

/* --------------------------------------------------------------------------------------------- screen */

/* Four digits at the most: 12, 4.5k, 37M. */
static const char *brief(double number, char text[16]) {
    static const char units[] = " kMGTPE";
    unsigned unit = 0;
    while (number >= 9999.5 || (unit > 0 && number >= 999.5)) {
        number /= 1000;
        unit++;
    }
    if (unit == 0)
        snprintf(text, 16, "%.0f", number);
    else
        snprintf(text, 16, number < 9.95 ? "%.1f%c" : "%.0f%c", number, units[unit]);
    return text;
}

static void print_name(FILE *out, const char *name, int width) {
    char *shown = NULL;
    size_t size = 0;
    FILE *memory = open_memstream(&shown, &size);
    if (memory == NULL)
        return;
    print_text(memory, name, strlen(name));
    fclose(memory);
    int columns = 0;
    for (const char *c = shown; *c != '\0'; c++) {
        columns += ((unsigned char)*c & 0xC0) != 0x80;
        if (columns <= width)
            fputc(*c, out);
    }
    if (columns < width)
        fprintf(out, "%*s", width - columns, "");
    free(shown);
}

static void print_node(const struct screen *screen, const struct shown_node *node, FILE *out,
                       const char *end) {
    const struct snapshot *now = &screen->now;
    const struct snapshot *before = &screen->before;
    char texts[8][16];
    print_name(out, node->name, 18);
    fprintf(out, "%8s %6s %7s %7s %7s %6s %6s", brief((double)node->sessions, texts[0]),
            brief((double)snapshot_value(now, node->id, 0, "chats"), texts[1]),
            brief(snapshot_rate(now, before, node->id, 0, "published"), texts[2]),
            brief(snapshot_rate(now, before, node->id, 0, "received"), texts[3]),
            brief(snapshot_rate(now, before, node->id, 0, "delivered"), texts[4]),
            brief((double)snapshot_value(now, node->id, 0, "gaps"), texts[5]),
            brief((double)snapshot_drops(now, node->id), texts[6]));
    if (node->round_trip_ms < 0)
        fprintf(out, "%8s%s", "-", end);
    else
        fprintf(out, "%8.1f%s", node->round_trip_ms, end);
}

static void print_link(const struct screen *screen, const struct link *link, FILE *out,
                       const char *end) {
    char texts[8][16];
    char id[WSFAN_ADDRESS_TEXT_SIZE];
    char round_trip[16];
    const char *peer = link->state->peer_name;
    if (*peer == '\0') /* a node with which there was no hello */
        peer = wsfan_address_text((wsfan_address){ link->state->peer, 0 }, id);
    snprintf(round_trip, sizeof round_trip, link->round_trip_ms < 0 ? "-" : "%.1f",
             link->round_trip_ms);
    print_name(out, name_of(screen, link->state->node), 13);
    fputs(" > ", out);
    print_name(out, peer, 13);
    fprintf(out, " %-7s %6s %6s %6s %6s %6s %6s%s",
            wsfan_peer_event_text((wsfan_peer_event)link->state->value),
            brief(link->messages, texts[0]), brief(link->bytes, texts[1]),
            brief((double)link->queue, texts[2]), round_trip, brief((double)link->resent, texts[4]),
            brief((double)link->lost, texts[5]), end);
}

/* rows: 0: as many as there are. `end` ends each line. */
static void print_screen(const struct screen *screen, FILE *out, size_t rows, const char *end) {
    const char *bold = rows > 0 ? "\033[7m" : "";
    const char *plain = rows > 0 ? "\033[0m" : "";
    char clock[16];
    struct tm tm;
    time_t seconds = time(NULL);
    size_t room = rows > 5 ? rows - 5 : 0; /* for nodes and links */
    size_t nodes = screen->now.nodes_count;
    size_t links = screen->links_count;
    localtime_r(&seconds, &tm);
    strftime(clock, sizeof clock, "%H:%M:%S", &tm);
    if (rows > 0 && nodes + links > room) { /* nodes have a half, or what links leave */
        size_t half = room / 2;
        nodes = nodes <= half ? nodes : (links < room - half ? room - links : half);
        links = links < room - nodes ? links : room - nodes;
    }
    fprintf(out, "wsfan top  %s  cluster %s: %zu node%s, %zu of %zu links up%s%s", clock,
            screen->cluster, screen->now.nodes_count, screen->now.nodes_count == 1 ? "" : "s",
            screen->links_up, screen->links_count,
            screen->now.partial ? "; some did not answer" : "", end);
    fputs(end, out);
    fprintf(out, "%s%-18s%8s %6s %7s %7s %7s %6s %6s%8s%s%s", bold, "NODE", "SESSIONS", "CHATS",
            "PUB/s", "IN/s", "DELIV/s", "GAPS", "DROPS", "RTT ms", plain, end);
    for (size_t i = 0; i < nodes; i++)
        print_node(screen, &screen->now.nodes[i], out, end);
    fputs(end, out);
    fprintf(out, "%s%-29s %-7s %6s %6s %6s %6s %6s %6s%s%s", bold, "LINK (from > to)", "STATE",
            "MSG/s", "BYTE/s", "QUEUE", "RTT ms", "RESENT", "LOST", plain,
            links > 0 || rows == 0 ? end : "");
    for (size_t i = 0; i < links; i++) /* the last line has no end: the screen would move */
        print_link(screen, &screen->links[i], out, i + 1 < links || rows == 0 ? end : "\033[K");
}

static void print_json(const struct screen *screen) {
    for (size_t i = 0; i < screen->now.nodes_count; i++) {
        const struct shown_node *node = &screen->now.nodes[i];
        json_begin();
        json_string("node", node->name);
        json_count("sessions", node->sessions);
        if (node->round_trip_ms >= 0)
            json_number("round_trip_ms", node->round_trip_ms);
        for (size_t s = 0; s < screen->now.count; s++)
            if (screen->now.statistics[s].node == node->id && screen->now.statistics[s].peer == 0)
                json_count(screen->now.statistics[s].name, screen->now.statistics[s].value);
        json_end();
    }
    for (size_t i = 0; i < screen->links_count; i++) {
        const struct link *link = &screen->links[i];
        json_begin();
        json_string("from", name_of(screen, link->state->node));
        json_string("to", link->state->peer_name);
        json_string("link", wsfan_peer_event_text((wsfan_peer_event)link->state->value));
        json_number("messages_per_second", link->messages);
        json_number("bytes_per_second", link->bytes);
        for (size_t s = 0; s < screen->now.count; s++)
            if (screen->now.statistics[s].node == link->state->node &&
                screen->now.statistics[s].peer == link->state->peer &&
                strcmp(screen->now.statistics[s].name, "state") != 0)
                json_count(screen->now.statistics[s].name, screen->now.statistics[s].value);
        json_end();
    }
}

/* ------------------------------------------------------------------------------------------- terminal */

static void show(const struct screen *screen) {
    struct winsize size = { .ws_row = 24 };
    char *text = NULL;
    size_t bytes;
    if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) != 0 || size.ws_row == 0)
        size.ws_row = 24;
    FILE *out = open_memstream(&text, &bytes);
    if (out == NULL)
        return;
    fputs("\033[H", out);
    print_screen(screen, out, size.ws_row, "\033[K\r\n");
    fputs("\033[J", out);
    fclose(out);
    fwrite(text, 1, bytes, stdout);
    fflush(stdout);
    free(text);
}

/* Waits for the next screen. False: it is over. */
static bool wait_for_key(struct mesh *mesh, bool keys, double end_s) {
    while (!stopped && now_s() < end_s) {
        struct pollfd item = { STDIN_FILENO, POLLIN, 0 };
        char key;
        mesh_step(mesh, 100);
        if (keys && poll(&item, 1, 0) == 1 &&
            (read(STDIN_FILENO, &key, 1) <= 0 || key == 'q' || key == 'Q'))
            return false;
    }
    return !stopped;
}

static void renew(struct screen *screen, struct mesh *mesh) {
    snapshot_free(&screen->before);
    screen->before = screen->now;
    snapshot_take(&screen->now, mesh);
    find_links(screen);
}

static void run_live(struct screen *screen, struct mesh *mesh) {
    struct termios before;
    bool keys = tcgetattr(STDIN_FILENO, &before) == 0;
    struct termios raw = before;
    raw.c_lflag &= (tcflag_t) ~(ICANON | ECHO);
    if (keys)
        tcsetattr(STDIN_FILENO, TCSANOW, &raw);
    fputs("\033[?1049h\033[?25l", stdout); /* a screen of its own, without a cursor */
    do {
        renew(screen, mesh);
        show(screen);
    } while (!ferror(stdout) &&
             wait_for_key(mesh, keys, screen->now.time_s + screen->options->seconds));
    fputs("\033[?25h\033[?1049l", stdout);
    fflush(stdout);
    if (keys)
        tcsetattr(STDIN_FILENO, TCSANOW, &before);
}

int top_run(const struct options *options) {
    struct mesh mesh;
    struct options with = *options;
    struct screen screen = { .options = &with };
    with.seconds = options->seconds != 0 ? options->seconds : 1;
    int status = mesh_join(&mesh, options, (wsfan_callbacks){ 0 }, &mesh);
    if (status != STATUS_OK)
        return status;
    screen.cluster = wsfan_node_cluster(mesh.node);
    mesh.timeout_ms = ANSWER_MS_MAX;
    if (options->once || options->json) {
        renew(&screen, &mesh);
        if (wait_for_key(&mesh, false, screen.now.time_s + with.seconds))
            renew(&screen, &mesh);
        if (options->json)
            print_json(&screen);
        else
            print_screen(&screen, stdout, 0, "\n");
        snapshot_complain(&screen.now);
        status = screen.now.partial ? STATUS_PARTIAL : STATUS_OK;
    } else {
        run_live(&screen, &mesh);
    }
    snapshot_free(&screen.before);
    snapshot_free(&screen.now);
    free(screen.links);
    mesh_close(&mesh);
    return status;
}
