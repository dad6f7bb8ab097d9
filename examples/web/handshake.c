/* handshake.c - the opening handshake of WebSocket (RFC 6455; section numbers below are of it). */
#include "handshake.h"

#include <openssl/evp.h>
#include <string.h>

enum { KEY_SIZE = 24, KEY_DIGITS = 22, SHA1_SIZE = 20 };

static enum handshake_result refuse(struct handshake *handshake, unsigned status,
                                    const char *reason, const char *const *headers) {
    static const char *const none[] = { NULL };
    *handshake = (struct handshake){ .status = status, .reason = reason };
    handshake->headers = headers != NULL ? headers : none;
    return HANDSHAKE_REFUSED;
}

/* 4.2.1, 3: among others, which clients may offer, too (RFC 9110, section 7.8). */
static bool names_websocket(const struct head *head) {
    struct slice rest = head->fields, value, protocol;
    while (head_next_field(&rest, "Upgrade", &value))
        while (syntax_next(&value, &protocol))
            if (slice_is_nocase(protocol, "websocket"))
                return true;
    return false;
}

/* The value of a field that is there once. */
static bool only_field(const struct head *head, const char *name, struct slice *value) {
    return head_count(head, name) == 1 && head_field(head, name, value);
}

/* 4.2.1, 5: 16 bytes in base64 (RFC 4648, section 4). */
static bool is_key(struct slice key) {
    for (size_t i = 0; i < key.size && i < KEY_DIGITS; i++) {
        char c = key.data[i], lower = (char)(c | 0x20);
        if (!(lower >= 'a' && lower <= 'z') && !(c >= '0' && c <= '9') && c != '+' && c != '/')
            return false;
    }
    return key.size == KEY_SIZE && memcmp(key.data + KEY_DIGITS, "==", 2) == 0;
}

/* 4.2.2, 5.4: the key and a text of the standard, hashed, in base64. */
static bool make_accept(struct slice key, char accept[HANDSHAKE_ACCEPT_SIZE + 1]) {
    static const char guid[] = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
    char text[KEY_SIZE + sizeof guid - 1];
    unsigned char hash[EVP_MAX_MD_SIZE];
    unsigned size;
    memcpy(text, key.data, KEY_SIZE);
    memcpy(text + KEY_SIZE, guid, sizeof guid - 1);
    if (EVP_Digest(text, sizeof text, hash, &size, EVP_sha1(), NULL) != 1 || size != SHA1_SIZE)
        return false;
    EVP_EncodeBlock((unsigned char *)accept, hash, SHA1_SIZE);
    return true;
}

/* -------------------------------------------------------------------------------- subprotocols */

/* Whether `name` is among the elements before `end`. */
static bool offered_before(const struct head *head, struct slice name, const char *end) {
    struct slice rest = head->fields, value, other;
    while (head_next_field(&rest, "Sec-WebSocket-Protocol", &value))
        while (syntax_next(&value, &other) && other.data < end)
            if (other.size == name.size && memcmp(other.data, name.data, name.size) == 0)
                return true;
    return false;
}

/* 4.1, 10: tokens, none of them twice. They may be in several lines (11.3.4). */
static bool protocols_valid(const struct head *head) {
    struct slice rest = head->fields, value, name;
    size_t count = 0;
    while (head_next_field(&rest, "Sec-WebSocket-Protocol", &value))
        while (syntax_next(&value, &name))
            if (!syntax_is_token(name) || ++count > HANDSHAKE_PROTOCOLS_COUNT_MAX ||
                offered_before(head, name, name.data))
                return false;
    return true;
}

/* 4.2.2, 5.5: one of ours that is offered. */
static const char *choose(const struct head *head, const char *const *protocols) {
    for (; protocols != NULL && *protocols != NULL; protocols++) {
        struct slice rest = head->fields, value, name;
        while (head_next_field(&rest, "Sec-WebSocket-Protocol", &value))
            while (syntax_next(&value, &name))
                if (slice_is(name, *protocols)) /* 11.5: case-sensitive, as the examples are */
                    return *protocols;
    }
    return NULL;
}

/* ---------------------------------------------------------------------------------- extensions */

/* Takes what is before the next divider, or all, off the text. */
static struct slice cut(struct slice *text, char divider) {
    const char *end = text->size > 0 ? memchr(text->data, divider, text->size) : NULL;
    struct slice part = *text;
    *text = (struct slice){ NULL, 0 };
    if (end != NULL) {
        size_t size = (size_t)(end - part.data);
        *text = (struct slice){ end + 1, part.size - size - 1 };
        part.size = size;
    }
    return slice_trim(part);
}

/* 9.1: a token, in quotes perhaps. */
static bool is_value(struct slice value) {
    if (value.size < 3 || value.data[0] != '"')
        return syntax_is_token(value);
    for (size_t i = 1; i < value.size - 1; i++) {
        i += value.data[i] == '\\';
        if (!syntax_is_tchar((unsigned char)value.data[i]))
            return false;
    }
    return value.data[value.size - 1] == '"';
}

/* 9.1: NAME *( ; NAME [ = VALUE ] ) */
static bool is_extension(struct slice text) {
    if (!syntax_is_token(cut(&text, ';')))
        return false;
    while (text.data != NULL) {
        struct slice parameter = cut(&text, ';');
        if (!syntax_is_token(cut(&parameter, '=')) ||
            (parameter.data != NULL && !is_value(slice_trim(parameter))))
            return false;
    }
    return true;
}

/* An element may be empty, as lists had it when the standard was made (RFC 2616, section 2.1), and `ws` takes a value
 * that is empty. A comma in quotes divides here, but in no list that is valid. */
static bool extensions_valid(const struct head *head) {
    struct slice rest = head->fields, value, extension;
    while (head_next_field(&rest, "Sec-WebSocket-Extensions", &value))
        while (syntax_next(&value, &extension))
            if (extension.size > 0 && !is_extension(extension))
                return false;
    return true;
}

/* ------------------------------------------------------------------------------------- judging */

enum handshake_result handshake_read(const struct head *head, const char *const *protocols,
                                     struct handshake *handshake) {
    static const char *const get[] = { "Allow", "GET", NULL };
    static const char *const version[] = { "Upgrade", "websocket", "Sec-WebSocket-Version", "13",
                                           NULL }; /* 4.4; RFC 9110, section 15.5.22 */
    struct slice value;
    memset(handshake, 0, sizeof *handshake);
    if (!head->upgrade || !names_websocket(head))
        return HANDSHAKE_NONE;
    if (head->method != HEAD_GET) /* 4.2.1, 1 */
        return refuse(handshake, 405, "a WebSocket handshake is a GET", get);
    if (head->body == HEAD_BODY_CHUNKED || head->body_size > 0)
        return refuse(handshake, 400, "a WebSocket handshake has no body", NULL);
    if (!only_field(head, "Sec-WebSocket-Version", &value) || !slice_is(value, "13"))
        return refuse(handshake, 426, "WebSocket is spoken in version 13 here",
                      version); /* 4.2.1, 6 */
    if (!protocols_valid(head))
        return refuse(handshake, 400, "the subprotocols are no list of different names", NULL);
    if (!extensions_valid(head))
        return refuse(handshake, 400, "the extensions are no list of extensions", NULL);
    if (!only_field(head, "Sec-WebSocket-Key", &value) || !is_key(value))
        return refuse(handshake, 400, "a WebSocket handshake has a key of 16 bytes", NULL);
    if (!make_accept(value, handshake->accept))
        return refuse(handshake, 500, "the answer could not be made", NULL);
    handshake->protocol = choose(head, protocols);
    return HANDSHAKE_GOOD;
}
