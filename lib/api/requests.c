/* The public functions that ask something of other nodes: checks of arguments, and glue. */
#include <string.h>

#include "api/node.h"
#include "base/memory.h"
#include "base/sized.h"

enum { ROWS_COUNT_DEFAULT = 100 };

/* A request before it is made. */
typedef struct {
    wsfan_request_kind kind;
    const wsfan_target *targets;
    size_t targets_count;
    wsfan_bytes payload;
    uint32_t number;
} draft;

static int read_options(const wsfan_node *node, const draft *d, wsfan_request_options *options,
                        const wsfan_request_options *given) {
    bool list = wsf_request_is_list(d->kind);
    memset(options, 0, sizeof *options);
    if (given != NULL && !wsf_read_sized(options, sizeof *options, given))
        return WSFAN_EINVAL;
    if ((options->reply_loop != NULL && wsf_loop_owner(options->reply_loop) != node) ||
        (options->reply_loop == NULL && list) ||
        options->ms_max > wsf_node_options(node)->request_ms_max ||
        options->rows_max > WSFAN_ROWS_COUNT_MAX ||
        (options->after.data == NULL && options->after.size > 0))
        return WSFAN_EINVAL;
    if (options->ms_max == 0)
        options->ms_max = wsf_node_options(node)->request_ms_max;
    if (options->rows_max == 0)
        options->rows_max = ROWS_COUNT_DEFAULT;
    return WSFAN_OK;
}

static int request(wsfan_node *node, const draft *d, const wsfan_request_options *given) {
    wsfan_request_options options;
    int error = read_options(node, d, &options, given);
    if (error != WSFAN_OK)
        return error;
    bool list = wsf_request_is_list(d->kind);
    wsfan_bytes payload = list ? options.after : d->payload;
    if (payload.data == NULL && payload.size > 0)
        return WSFAN_EINVAL;
    if (payload.size > wsf_node_options(node)->payload_bytes_max)
        return WSFAN_ETOOBIG;
    wsfan_message *message = wsf_message_new(
        wsf_node_key(node), &(wsf_message_parts){ .targets = d->targets,
                                                  .targets_count = (uint32_t)d->targets_count,
                                                  .payload = payload });
    if (message == NULL)
        return WSFAN_ENOMEM;
    wsf_request *request = wsf_request_new(d->kind, message, list ? options.rows_max : d->number,
                                           options.ms_max);
    if (request == NULL) {
        wsfan_message_unref(message);
        return WSFAN_ENOMEM;
    }
    request->reply_user = options.reply_user;
    if (options.reply_loop != NULL) {
        error = wsf_loop_expect_reply(options.reply_loop,
                                      wsf_node_options(node)->requests_count_max, request);
        if (error != WSFAN_OK) {
            wsf_request_free(request);
            return error;
        }
    }
    error = wsf_mesh_ask(wsf_node_mesh(node), request);
    if (error != WSFAN_OK && options.reply_loop != NULL)
        wsf_loop_revoke_reply(options.reply_loop);
    return error;
}

static int ask_of(wsfan_node *node, const draft *d, const wsfan_request_options *options) {
    int error = wsf_node_check(node);
    if (error == WSFAN_OK)
        error = wsf_node_check_targets(node, d->targets, d->targets_count);
    return error == WSFAN_OK ? request(node, d, options) : error;
}

static int ask_about_chat(wsfan_node *node, const draft *d, const wsfan_request_options *options) {
    int error = wsf_node_check(node);
    if (error != WSFAN_OK)
        return error;
    if (d->payload.size == 0)
        return WSFAN_EINVAL;
    if (d->payload.size > wsf_node_options(node)->name_bytes_max)
        return WSFAN_ETOOBIG;
    return ask_of(node, d, options);
}

int wsfan_remote_join(wsfan_node *node, const wsfan_target *targets, size_t targets_count,
                      wsfan_bytes chat, const wsfan_request_options *options) {
    draft d = { WSFAN_REQUEST_JOIN, targets, targets_count, chat, 0 };
    return ask_about_chat(node, &d, options);
}

int wsfan_remote_leave(wsfan_node *node, const wsfan_target *targets, size_t targets_count,
                       wsfan_bytes chat, const wsfan_request_options *options) {
    draft d = { WSFAN_REQUEST_LEAVE, targets, targets_count, chat, 0 };
    return ask_about_chat(node, &d, options);
}

int wsfan_remote_close(wsfan_node *node, const wsfan_target *targets, size_t targets_count,
                       uint16_t code, wsfan_bytes reason, const wsfan_request_options *options) {
    draft d = { WSFAN_REQUEST_CLOSE, targets, targets_count, reason, code };
    if (reason.data == NULL && reason.size > 0)
        return WSFAN_EINVAL;
    if (reason.size > WSF_CLOSE_REASON_SIZE_MAX)
        return WSFAN_ETOOBIG;
    if (!wsf_close_valid(code, reason))
        return WSFAN_EINVAL;
    return ask_of(node, &d, options);
}

int wsfan_list_sessions(wsfan_node *node, const wsfan_target *targets, size_t targets_count,
                        const wsfan_request_options *options) {
    draft d = { WSFAN_REQUEST_SESSIONS, targets, targets_count, { NULL, 0 }, 0 };
    return ask_of(node, &d, options);
}

int wsfan_list_chats(wsfan_node *node, const wsfan_target *targets, size_t targets_count,
                     const wsfan_request_options *options) {
    draft d = { WSFAN_REQUEST_CHATS, targets, targets_count, { NULL, 0 }, 0 };
    return ask_of(node, &d, options);
}

int wsfan_list_nodes(wsfan_node *node, const wsfan_request_options *options) {
    wsfan_target all = { WSFAN_ALL, { NULL, 0 } };
    draft d = { WSFAN_REQUEST_NODES, &all, 1, { NULL, 0 }, 0 };
    return ask_of(node, &d, options);
}

int wsfan_list_stats(wsfan_node *node, const wsfan_request_options *options) {
    wsfan_target all = { WSFAN_ALL, { NULL, 0 } };
    draft d = { WSFAN_REQUEST_STATS, &all, 1, { NULL, 0 }, 0 };
    return ask_of(node, &d, options);
}

int wsfan_node_send(wsfan_node *node, uint64_t to, wsfan_bytes payload,
                    const wsfan_request_options *options) {
    char name[WSFAN_ADDRESS_TEXT_SIZE];
    wsfan_target target = { WSFAN_ALL, { NULL, 0 } };
    if (to != 0) {
        wsfan_address_text((wsfan_address){ to, 0 }, name);
        target = (wsfan_target){ WSFAN_NODE, wsfan_string(name) };
    }
    draft d = { WSFAN_REQUEST_SEND, &target, 1, payload, 0 };
    return ask_of(node, &d, options);
}

int wsfan_node_reply(wsfan_node *node, uint64_t token, wsfan_bytes payload) {
    int error = wsf_node_check(node);
    if (error != WSFAN_OK)
        return error;
    if (payload.data == NULL && payload.size > 0)
        return WSFAN_EINVAL;
    if (payload.size > wsf_node_options(node)->payload_bytes_max)
        return WSFAN_ETOOBIG;
    wsf_mesh_reply *reply = wsf_alloc_zero(1, sizeof *reply);
    void *copy = payload.size > 0 ? wsf_alloc(payload.size) : NULL;
    if (reply == NULL || (copy == NULL && payload.size > 0)) {
        wsf_free(reply);
        wsf_free(copy);
        return WSFAN_ENOMEM;
    }
    if (payload.size > 0)
        memcpy(copy, payload.data, payload.size);
    reply->token = token;
    reply->payload = copy;
    reply->payload_size = payload.size;
    return wsf_mesh_reply_to(wsf_node_mesh(node), reply);
}
