/* Endpoints as hosts and peers name them. */
#include "base/endpoint.h"
#include "target.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    char *text = text_of(data, size);
    if (wsf_endpoint_valid(text, size, false))
        CHECK(wsf_endpoint_valid(text, size, true)); /* a wildcard is allowed, not asked for */
    if (wsf_endpoint_valid(text, size, true)) {
        CHECK(size <= WSF_ENDPOINT_SIZE_MAX && strlen(text) == size);
        char bound[WSF_ENDPOINT_SIZE_MAX + 1];
        wsf_endpoint_to_bind(text, bound);
        CHECK(wsf_endpoint_valid(bound, strlen(bound), true));
        CHECK(wsf_endpoint_is_local(bound) == wsf_endpoint_is_local(text));
    }
    bool resolve;
    if (wsf_endpoint_to_tell(text, size))
        CHECK(wsf_endpoint_is_carried(text, size) ||
              (wsf_endpoint_to_dial(text, size, &resolve) && !resolve));
    if (wsf_endpoint_to_dial(text, size, &resolve) && resolve) {
        char host[WSF_ENDPOINT_SIZE_MAX + 1];
        unsigned port;
        wsf_endpoint_split(text, host, &port);
        CHECK(host[0] != '\0' && port >= 1 && port <= 65535);
    }
    free(text);
    return 0;
}
