/* Texts of the error codes, and the version. */
#include <wsfan/wsfan.h>

const char *wsfan_error_text(int error) {
    switch ((enum wsfan_error)error) {
    case WSFAN_OK:
        return "no error";
    case WSFAN_EINVAL:
        return "an argument is NULL, out of its range, of another loop, or not for a node with "
               "these options, or a struct_size is not set";
    case WSFAN_ENOMEM:
        return "out of memory";
    case WSFAN_ETOOBIG:
        return "a name or payload is larger than its limit";
    case WSFAN_ELIMIT:
        return "a count has reached its limit";
    case WSFAN_EAGAIN:
        return "not just now: the queue is full and nothing was queued, or a position cannot be "
               "told; try again later";
    case WSFAN_ESTALE:
        return "the session is closed";
    case WSFAN_EEXIST:
        return "the session is in this chat already";
    case WSFAN_ENOENT:
        return "the session is not in this chat, or joined it without presence";
    case WSFAN_EENDPOINT:
        return "an endpoint is not of the form tcp://HOST:PORT or ipc://PATH ('*' only where a "
               "node listens, dns:// only among peers; for a beacon: tcp://ADDRESS:PORT; "
               "over a carrier: SCHEME:NAME)";
    case WSFAN_EADDRINUSE:
        return "the mesh endpoint is in use by another socket";
    case WSFAN_EADDR:
        return "it cannot be bound on this machine: no such address, interface (a DNS name is "
               "none) or path, or not permitted; or no address of it is of use to peers, see "
               "advertise";
    case WSFAN_ESYSTEM:
        return "the system refused a thread, a descriptor or a socket; see errno";
    case WSFAN_EBUSY:
        return "the node has open loops, or the allocator is another";
    case WSFAN_ECLOSED:
        return "the node drains or closes, or the outbound queue was full";
    case WSFAN_EFORK:
        return "the node was opened before fork(); it is unusable in the child";
    case WSFAN_EPARTIAL:
        return "some nodes have not done it, or not in time: see missing";
    case WSFAN_ESILENT:
        return "the node did not answer in time, or is gone";
    case WSFAN_ENOTSUP:
        return "the node does not know how to do this";
    case WSFAN_EINSECURE:
        return "a mesh without keys may be bound to loopback only; see key_file and allow_insecure";
    case WSFAN_EKEY:
        return "a key, certificate or history_key is missing or not valid, or its file cannot be "
               "read, see errno; wsfan-keygen makes keys of the mesh";
    case WSFAN_EREFUSED:
        return "every node that was found refuses this one; on_peer tells why";
    }
    return "unknown error";
}

#define TEXT_(x) #x
#define TEXT(x) TEXT_(x)

const char *wsfan_version(void) {
    return TEXT(WSFAN_VERSION_MAJOR) "." TEXT(WSFAN_VERSION_MINOR) "." TEXT(WSFAN_VERSION_PATCH);
}
