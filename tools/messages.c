/* messages.c - wsfan publish and wsfan tail. */
#include <inttypes.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "tool.h"

/* ----------------------------------------------------------------------------------------------- publish */

struct publisher {
    struct mesh mesh; /* the first, as mesh_open() wants it */
    uint64_t accepted;
    uint64_t settled;
    uint64_t partial;
    uint32_t nodes; /* that the last message was for */
};

static void on_result(void *user, const wsfan_result *result) {
    struct publisher *publisher = user;
    publisher->settled++;
    publisher->partial += result->status != WSFAN_OK;
    publisher->nodes = result->peers;
}

static bool publish(struct publisher *publisher, const char *chat, const char *text, size_t size) {
    wsfan_publish_options options = { .struct_size = sizeof options,
                                      .flags = text_is_utf8(text, size) ? 0 : WSFAN_BINARY,
                                      .result_loop = publisher->mesh.loop };
    wsfan_bytes payload = { text, size };
    int error;
    while ((error = wsfan_broadcast(publisher->mesh.node, wsfan_string(chat), payload, &options)) ==
               WSFAN_EAGAIN ||
           error == WSFAN_ELIMIT) {
        if (stopped)
            return false;
        mesh_step(&publisher->mesh, STEP_MS); /* there is room when what is under way is settled */
    }
    if (error != WSFAN_OK) {
        complain("%s", wsfan_error_text(error));
        return false;
    }
    publisher->accepted++;
    return true;
}

/* Whole lines; the last one may have no end. */
static bool publish_whole(struct publisher *publisher, const char *chat, char *text, size_t *size,
                          bool last) {
    char *from = text;
    char *end;
    bool ok = true;
    while (ok && (end = memchr(from, '\n', *size)) != NULL) {
        ok = publish(publisher, chat, from, (size_t)(end - from));
        *size -= (size_t)(end + 1 - from);
        from = end + 1;
    }
    if (ok && last && *size > 0)
        ok = publish(publisher, chat, from, *size);
    memmove(text, from, *size);
    return ok;
}

/* Goes on as a node while it waits for input: others ask it, too. */
static bool publish_lines(struct publisher *publisher, const char *chat) {
    enum { SHARE = 65536 };
    char *text = NULL;
    size_t size = 0;
    bool ok = true;
    bool more = true;
    while (ok && more && !stopped) {
        struct pollfd items[] = { { STDIN_FILENO, POLLIN, 0 },
                                  { wsfan_loop_fd(publisher->mesh.loop), POLLIN, 0 } };
        poll(items, 2, -1);
        if (items[1].revents != 0)
            mesh_step(&publisher->mesh, 0);
        if (items[0].revents == 0)
            continue;
        text = make_room(text, size + SHARE, 1);
        ssize_t got = read(STDIN_FILENO, text + size, SHARE);
        more = got > 0;
        size += more ? (size_t)got : 0;
        ok = publish_whole(publisher, chat, text, &size, !more);
    }
    free(text);
    return ok;
}

int publish_run(const struct options *options) {
    struct publisher publisher = { 0 };
    const char *chat = options->arguments[0];
    const char *text = options->arguments[1];
    int status = mesh_join(&publisher.mesh, options, (wsfan_callbacks){ .on_result = on_result },
                           &publisher);
    if (status != STATUS_OK)
        return status;
    bool ok = strcmp(text, "-") == 0 ? publish_lines(&publisher, chat)
                                     : publish(&publisher, chat, text, strlen(text));
    while (publisher.settled < publisher.accepted && !stopped)
        mesh_step(&publisher.mesh, STEP_MS);
    status = mesh_status(&publisher.mesh, STATUS_OK);
    mesh_close(&publisher.mesh);
    if (!ok || publisher.settled < publisher.accepted)
        return STATUS_FAILED;
    if (publisher.partial > 0) {
        complain("%" PRIu64 " of %" PRIu64 " messages did not reach every node", publisher.partial,
                 publisher.accepted);
        return STATUS_PARTIAL;
    }
    if (publisher.accepted == 1 && publisher.nodes == 0)
        complain("no node has a session in %s: nobody got it", chat);
    return status;
}

/* -------------------------------------------------------------------------------------------------- tail */

struct tail {
    struct mesh mesh; /* the first, as mesh_open() wants it */
    const struct options *options;
    wsfan_session session;
    unsigned long printed;
    int joined;
    bool partial;
};

static void on_joined(void *user, const wsfan_joined *joined) {
    struct tail *tail = user;
    tail->joined++;
    tail->partial = tail->partial || joined->status != WSFAN_OK;
}

/* The first chat among the targets that is one of ours. */
static wsfan_bytes chat_of(const struct tail *tail, const wsfan_message *message) {
    wsfan_bytes found = { "", 0 };
    for (size_t i = wsfan_message_targets_count(message); i-- > 0;) {
        wsfan_target target = wsfan_message_target(message, i);
        for (int c = 0; target.kind == WSFAN_CHAT && c < tail->options->arguments_count; c++)
            if (strlen(tail->options->arguments[c]) == target.name.size &&
                memcmp(tail->options->arguments[c], target.name.data, target.name.size) == 0)
                found = target.name;
    }
    return found;
}

static void print_base64(wsfan_bytes bytes) {
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    const unsigned char *data = bytes.data;
    char *text = make_room(NULL, (bytes.size + 2) / 3 * 4 + 1, 1);
    size_t size = 0;
    for (size_t i = 0; i < bytes.size; i += 3) {
        size_t left = bytes.size - i;
        unsigned group = (unsigned)data[i] << 16 | (left > 1 ? (unsigned)data[i + 1] << 8 : 0) |
                         (left > 2 ? data[i + 2] : 0u);
        text[size++] = digits[group >> 18];
        text[size++] = digits[group >> 12 & 63];
        text[size++] = (char)(left > 1 ? digits[group >> 6 & 63] : '=');
        text[size++] = (char)(left > 2 ? digits[group & 63] : '=');
    }
    json_text("base64", text, size);
    free(text);
}

static void print_json(wsfan_message *message, wsfan_bytes chat, const char *time_text) {
    wsfan_bytes payload = wsfan_message_payload(message);
    wsfan_message_id id = wsfan_message_get_id(message);
    char origin[WSFAN_ADDRESS_TEXT_SIZE];
    bool text = (wsfan_message_flags(message) & WSFAN_BINARY) == 0 &&
                text_is_utf8(payload.data, payload.size);
    json_begin();
    json_string("time", time_text);
    json_text("chat", chat.data, chat.size);
    json_string("node", wsfan_address_text((wsfan_address){ id.origin, 0 }, origin));
    if (text)
        json_text("text", payload.data, payload.size);
    else
        print_base64(payload);
    json_end();
}

static void on_message(void *user, wsfan_message *message, const wsfan_recipient *recipients,
                       size_t recipients_count) {
    struct tail *tail = user;
    char text[64];
    char whole[80];
    struct tm tm;
    uint64_t ms = wsfan_message_get_id(message).clock >> 16; /* since 1970 */
    time_t seconds = (time_t)(ms / 1000);
    wsfan_bytes chat = chat_of(tail, message);
    (void)recipients, (void)recipients_count;
    if (tail->options->count != 0 && tail->printed == tail->options->count)
        return;
    tail->printed++;
    if (tail->options->json) {
        gmtime_r(&seconds, &tm);
        strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%S", &tm);
        snprintf(whole, sizeof whole, "%s.%03uZ", text, (unsigned)(ms % 1000));
        print_json(message, chat, whole);
        return;
    }
    localtime_r(&seconds, &tm);
    strftime(text, sizeof text, "%H:%M:%S", &tm);
    printf("%s.%03u  ", text, (unsigned)(ms % 1000));
    if (chat.size > 0)
        print_text(stdout, chat.data, chat.size);
    else
        fputs("(everyone)", stdout);
    fputs("  ", stdout);
    print_text(stdout, wsfan_message_payload(message).data, wsfan_message_payload(message).size);
    putchar('\n');
    fflush(stdout);
}

static void on_gap(void *user, const wsfan_gap *gap) {
    (void)user;
    if (gap->count > 0)
        complain("%" PRIu64 " messages of %s are missing: %s", gap->count, gap->name,
                 wsfan_gap_reason_text(gap->reason));
    else
        complain("messages of %s may be missing: %s", gap->name,
                 wsfan_gap_reason_text(gap->reason));
}

static int follow(struct tail *tail) {
    const struct options *options = tail->options;
    int joins = 0;
    int error = wsfan_session_open(&tail->session, tail->mesh.loop, wsfan_string(""), NULL);
    for (int i = 0; i < options->arguments_count && error == WSFAN_OK; i++) {
        error = wsfan_session_join(tail->mesh.loop, tail->session,
                                   wsfan_string(options->arguments[i]));
        joins += error == WSFAN_OK;
        if (error == WSFAN_EEXIST)
            error = WSFAN_OK;
    }
    if (error != WSFAN_OK) {
        complain("%s", wsfan_error_text(error));
        return STATUS_FAILED;
    }
    while (tail->joined < joins && !stopped)
        mesh_step(&tail->mesh, 100);
    if (tail->partial)
        complain("some nodes have not heard of it: their messages may be missing");
    fprintf(stderr, "listening; Ctrl-C ends it\n");
    while (!stopped && (options->count == 0 || tail->printed < options->count) && !ferror(stdout))
        mesh_step(&tail->mesh, 1000);
    return ferror(stdout) ? STATUS_FAILED : STATUS_OK;
}

int tail_run(const struct options *options) {
    struct tail tail = { .options = options };
    wsfan_callbacks callbacks = { .on_message = on_message,
                                  .on_joined = on_joined,
                                  .on_gap = on_gap };
    int status = mesh_join(&tail.mesh, options, callbacks, &tail);
    if (status != STATUS_OK)
        return status;
    status = follow(&tail);
    mesh_close(&tail.mesh);
    return status;
}
