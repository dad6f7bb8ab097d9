/* A topic that somebody subscribed to: an introduction that is understood is written as it came. */
#include "target.h"
#include "wire/encode.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    wsf_introduction introduction;
    uint8_t again[WSF_INTRODUCTION_SIZE_MAX];
    switch (wsf_read_topic(data, size, &introduction)) {
    case WSF_TOPIC_INTRODUCTION:
        CHECK(strlen(introduction.cluster) <= WSF_CLUSTER_SIZE_MAX);
        CHECK(wsf_endpoint_to_tell(introduction.endpoint, strlen(introduction.endpoint)));
        CHECK(wsf_write_introduction(again, &introduction) <= size);
        break;
    case WSF_TOPIC_INBOX:
        CHECK(size == WSF_TOPIC_SIZE);
        break;
    case WSF_TOPIC_OTHER:
        break;
    }
    return 0;
}
