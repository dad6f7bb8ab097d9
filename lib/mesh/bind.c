/* Answers for what an endpoint is bound as, and whether it may be. socket.c binds it. */
#include "mesh/bind.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>
#include <wsfan/error.h>

#include "base/interfaces.h"

int wsf_bind_error(int reason) {
    switch (reason) {
    case EADDRINUSE:
        return WSFAN_EADDRINUSE;
    case EADDRNOTAVAIL:
    case ENODEV:
    case EACCES:
    case ENOENT:
    case ENOTDIR:
    case ENAMETOOLONG:
        return WSFAN_EADDR;
    case EINVAL:
    case EPROTONOSUPPORT:
        return WSFAN_EENDPOINT;
    case ENOMEM:
        return WSFAN_ENOMEM;
    default:
        return WSFAN_ESYSTEM;
    }
}

int wsf_bind_check_path(const char *endpoint) {
    enum { SCHEME_SIZE = 6 };
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    const char *path = endpoint + SCHEME_SIZE;
    size_t size = strlen(endpoint) - SCHEME_SIZE;
    struct stat status;
    if (strncmp(endpoint, "ipc://", SCHEME_SIZE) != 0 || *path == '@' || lstat(path, &status) != 0)
        return WSFAN_OK;
    if (!S_ISSOCK(status.st_mode) || size >= sizeof address.sun_path)
        return WSFAN_EADDR;
    memcpy(address.sun_path, path, size);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return WSFAN_ESYSTEM;
    int result = connect(fd, (const struct sockaddr *)&address, sizeof address);
    int reason = result == 0 ? 0 : errno;
    close(fd);
    if (reason == ECONNREFUSED || reason == ENOENT)
        return WSFAN_OK;
    return reason == EACCES ? WSFAN_EADDR : WSFAN_EADDRINUSE;
}

int wsf_bind_write(const char *endpoint, char to_bind[WSF_ENDPOINT_SIZE_MAX + 1]) {
    char name[WSF_ENDPOINT_SIZE_MAX + 1];
    char host[WSF_INTERFACE_HOST_SIZE];
    wsf_endpoint_to_bind(endpoint, to_bind);
    if (!wsf_endpoint_names_host(to_bind, name) || !wsf_interfaces_has(name))
        return WSFAN_OK;
    if (!wsf_interfaces_address(name, true, host))
        return WSFAN_EADDR;
    snprintf(to_bind, WSF_ENDPOINT_SIZE_MAX + 1, "tcp://%s%s", host, strrchr(endpoint, ':'));
    return WSFAN_OK;
}
