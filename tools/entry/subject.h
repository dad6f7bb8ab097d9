/* Names as tokens of subjects, and what the subjects of an entry name. Pure: no socket, no memory of its own.
 *
 * A token is the name where that is of 1 to 200 characters A-Z, a-z, 0-9, "_" and "-"; else "=" and the name in
 * base64url (RFC 4648, section 5) without padding. A name has one token, so permissions that name subjects cannot be
 * passed by. */
#ifndef ENTRY_SUBJECT_H
#define ENTRY_SUBJECT_H

#include <stdbool.h>
#include <stddef.h>

enum {
    NAME_BYTES_MAX = 256, /* of a chat or user, as the library has it by default */
    TOKEN_PLAIN_MAX = 200,
    TOKEN_SIZE = 1 + (NAME_BYTES_MAX * 4 + 2) / 3 + 1,
    PREFIX_SIZE = 64 + 1 + TOKEN_SIZE, /* PREFIX.CLUSTER. */
    SUBJECT_SIZE = PREFIX_SIZE + 16 + TOKEN_SIZE
};

/* Writes the token of a name of 1 to NAME_BYTES_MAX bytes, with a NUL. */
void token_write(char token[TOKEN_SIZE], const void *name, size_t size);

/* Reads the token of `size` characters. Returns the size of the name, 0: it is not the token of a name. */
size_t token_read(char name[NAME_BYTES_MAX], const char *token, size_t size);

/* Whom a message is for. */
enum to { TO_NOBODY, TO_CHAT, TO_USER, TO_ALL };

struct recipient {
    enum to to; /* TO_NOBODY: the subject names nobody */
    char name[NAME_BYTES_MAX];
    size_t name_size; /* 0 of TO_ALL */
};

/* Reads what stands behind "in." or "tap." in a subject: "chat.TOKEN", "user.TOKEN", "all". */
void recipient_read(struct recipient *recipient, const char *rest);

#endif
