/* publisher.c - all of libwsfan that a service without sessions needs. */
#include "thin_client.h"

#include <stdio.h>

static void on_result(void *loop_user, const wsfan_result *result) {
    struct service *service = loop_user;
    if (result->status == WSFAN_OK)
        service->told++;
    else
        service->told_partly++;
}

static void on_cluster(uv_poll_t *cluster, int status, int events) {
    struct service *service = cluster->data;
    (void)status, (void)events;
    wsfan_loop_dispatch(service->loop, 256);
}

int publisher_open(struct service *service, wsfan_options *options) {
    static const wsfan_callbacks callbacks = { .struct_size = sizeof callbacks,
                                               .on_result = on_result };
    options->publisher_only = 1;
    int error = wsfan_node_open(&service->node, options);
    if (error == WSFAN_OK)
        error = wsfan_loop_open(&service->loop, service->node, &callbacks, service);
    service->cluster.data = service;
    if (error == WSFAN_OK &&
        uv_poll_init(web_loop(service->thread), &service->cluster, wsfan_loop_fd(service->loop)) ==
            0 &&
        uv_poll_start(&service->cluster, UV_READABLE, on_cluster) == 0)
        return 0;
    fprintf(stderr, "thin-client: cannot open the node: %s\n", wsfan_error_text(error));
    return -1;
}

void publisher_close(struct service *service) {
    wsfan_loop_close(service->loop);
    wsfan_node_close(service->node);
}

/* A JSON object: each replica of echo-chat gives it to its clients with the message's id in it. */
void publisher_tell(struct service *service, const char *chat, int64_t item) {
    char text[160];
    int size = snprintf(text, sizeof text, "{\"type\":\"changed\",\"item\":%lld}", (long long)item);
    wsfan_publish_options options = { .struct_size = sizeof options, .result_loop = service->loop };
    if (wsfan_broadcast(service->node, wsfan_string(chat), (wsfan_bytes){ text, (size_t)size },
                        &options) != WSFAN_OK)
        service->untold++;
}
