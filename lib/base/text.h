/* What texts that hosts and tools print may hold. Sizes are in bytes. */
#ifndef WSF_BASE_TEXT_H
#define WSF_BASE_TEXT_H

#include <stdbool.h>
#include <stddef.h>

/* Whether text is UTF-8 (RFC 3629): no overlong form, no surrogate, nothing above U+10FFFF. */
bool wsf_text_is_utf8(const void *text, size_t size);

/* Whether text is UTF-8 without control characters (U+0000..U+001F, U+007F..U+009F), separators of lines (U+2028,
 * U+2029) and those that turn the direction of what follows (U+061C, U+200E, U+200F, U+202A..U+202E,
 * U+2066..U+2069), so that it cannot break a line of a log, control a terminal, or change how the rest reads. */
bool wsf_text_is_printable(const void *text, size_t size);

/* Whether text is visible ASCII, 0x21..0x7E, which an HTTP header can hold as it is. */
bool wsf_text_is_visible(const void *text, size_t size);

#endif
