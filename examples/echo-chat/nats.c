/* nats.c - the mesh over NATS. Without libwsfan-nats it says that it cannot. */
#include "echo_chat.h"

#include <stdio.h>

#ifdef WITH_NATS

#include <wsfan/nats.h>

/* A frame is a message and some 20 KiB, and servers of NATS take 1 MiB by default. */
enum { PAYLOAD_BYTES_MAX = 512 * 1024 };

int nats_open(struct replica *replica, struct options *options) {
    wsfan_nats_options how;
    wsfan_nats_options_init(&how);
    if (options->nats.urls == NULL)
        return 0;
    how.urls = options->nats.urls;
    how.credentials_file = options->nats.credentials_file;
    how.ca_file = options->nats.ca_file;
    int error = wsfan_nats_open(&replica->nats, &how);
    if (error != WSFAN_OK) {
        fprintf(stderr, "echo-chat: --nats %s: %s\n", how.urls, wsfan_error_text(error));
        return -1;
    }
    options->cluster.carrier = wsfan_nats_carrier(replica->nats);
    options->cluster.payload_bytes_max = PAYLOAD_BYTES_MAX;
    return 0;
}

const char *nats_error(const struct replica *replica) {
    return replica->nats != NULL ? wsfan_nats_error(replica->nats) : "";
}

void nats_close(struct replica *replica) {
    wsfan_nats_close(replica->nats);
}

#else

int nats_open(struct replica *replica, struct options *options) {
    (void)replica;
    if (options->nats.urls == NULL)
        return 0;
    fprintf(stderr, "echo-chat: --nats: this program was built without libwsfan-nats\n");
    return -1;
}

const char *nats_error(const struct replica *replica) {
    (void)replica;
    return "";
}

void nats_close(struct replica *replica) {
    (void)replica;
}

#endif
