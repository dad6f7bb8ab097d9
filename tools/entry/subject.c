/* subject.c - names as tokens of subjects. */
#include "subject.h"

#include <stdint.h>
#include <string.h>

static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

static bool is_plain(const char *name, size_t size) {
    if (size > TOKEN_PLAIN_MAX)
        return false;
    for (size_t i = 0; i < size; i++)
        if (name[i] == '\0' || strchr(digits, name[i]) == NULL)
            return false;
    return true;
}

void token_write(char token[TOKEN_SIZE], const void *name, size_t size) {
    const uint8_t *bytes = name;
    char *at = token;
    if (is_plain(name, size)) {
        memcpy(token, name, size);
        token[size] = '\0';
        return;
    }
    *at++ = '=';
    for (size_t i = 0; i < size; i += 3) {
        size_t rest = size - i;
        uint32_t bits = (uint32_t)bytes[i] << 16 | (rest > 1 ? (uint32_t)bytes[i + 1] << 8 : 0) |
                        (rest > 2 ? bytes[i + 2] : 0u);
        *at++ = digits[bits >> 18];
        *at++ = digits[bits >> 12 & 63];
        if (rest > 1)
            *at++ = digits[bits >> 6 & 63];
        if (rest > 2)
            *at++ = digits[bits & 63];
    }
    *at = '\0';
}

/* Of base64url; 0: it is none, or too long. What is left of the last digit is not looked at. */
static size_t decode(char name[NAME_BYTES_MAX], const char *text, size_t size) {
    uint32_t bits = 0;
    unsigned count = 0;
    size_t used = 0;
    for (size_t i = 0; i < size; i++) {
        const char *digit = text[i] != '\0' ? strchr(digits, text[i]) : NULL;
        if (digit == NULL)
            return 0;
        bits = (bits << 6 | (uint32_t)(digit - digits)) & 0xFFFF;
        count += 6;
        if (count >= 8) {
            if (used == NAME_BYTES_MAX)
                return 0;
            count -= 8;
            name[used++] = (char)(bits >> count & 0xFF);
        }
    }
    return used;
}

size_t token_read(char name[NAME_BYTES_MAX], const char *token, size_t size) {
    char written[TOKEN_SIZE];
    size_t name_size = size;
    if (size == 0 || size >= TOKEN_SIZE)
        return 0;
    if (token[0] == '=')
        name_size = decode(name, token + 1, size - 1);
    else if (is_plain(token, size))
        memcpy(name, token, size);
    else
        return 0;
    if (name_size == 0)
        return 0;
    token_write(written, name, name_size);
    return strlen(written) == size && memcmp(written, token, size) == 0 ? name_size : 0;
}

void recipient_read(struct recipient *recipient, const char *rest) {
    recipient->to = TO_NOBODY;
    recipient->name_size = 0;
    if (strcmp(rest, "all") == 0) {
        recipient->to = TO_ALL;
        return;
    }
    bool chat = strncmp(rest, "chat.", 5) == 0;
    if (!chat && strncmp(rest, "user.", 5) != 0)
        return;
    recipient->name_size = token_read(recipient->name, rest + 5, strlen(rest + 5));
    if (recipient->name_size > 0)
        recipient->to = chat ? TO_CHAT : TO_USER;
}
