/* Texts of error codes and drop reasons, from the lists in the public header. */
#include <wsfan/wsfan.h>

const char *wsfan_error_text(int error) {
#define CASE(name, value, text)                                                                    \
    case value:                                                                                    \
        return text;
    switch (error) {
        WSFAN_ERROR_LIST(CASE)
    default:
        return "unknown error";
    }
#undef CASE
}

const char *wsfan_drop_text(wsfan_drop reason) {
#define CASE(name, text)                                                                           \
    case name:                                                                                     \
        return text;
    switch (reason) {
        WSFAN_DROP_LIST(CASE)
    case WSFAN_DROP_COUNT:
    default:
        return "unknown reason";
    }
#undef CASE
}

#define TEXT_(x) #x
#define TEXT(x) TEXT_(x)

const char *wsfan_version(void) {
    return TEXT(WSFAN_VERSION_MAJOR) "." TEXT(WSFAN_VERSION_MINOR) "." TEXT(WSFAN_VERSION_PATCH);
}
