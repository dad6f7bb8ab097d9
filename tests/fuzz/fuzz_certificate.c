/* The text of a key file. */
#include "base/keys.h"
#include "target.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    wsf_certificate certificate;
    char *text = malloc(size > 0 ? size : 1); /* a file has no NUL at its end */
    CHECK(text != NULL);
    if (size > 0)
        memcpy(text, data, size);
    if (wsf_certificate_read(&certificate, text, size) == 0) {
        const char *secret = certificate.secret_key.text;
        CHECK(wsf_key_valid(certificate.public_key.text, strlen(certificate.public_key.text)));
        CHECK(secret[0] == '\0' || wsf_key_valid(secret, strlen(secret)));
    }
    free(text);
    return 0;
}
