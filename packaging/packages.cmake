# CPack: Debian packages of the components, by `sh packaging/debian.sh`, and the source release, by the target
# package_source.
set(CPACK_PACKAGE_NAME libwsfan)
set(CPACK_PACKAGE_VERSION ${PROJECT_VERSION})
set(CPACK_PACKAGE_DESCRIPTION_SUMMARY "") # else it stands before that of each package
set(CPACK_PACKAGE_VENDOR "the libwsfan authors")
set(CPACK_VERBATIM_VARIABLES ON)

# As dch(1) asks for the maintainer: whoever makes the packages.
set(maintainer_name "$ENV{DEBFULLNAME}")
set(maintainer_address "$ENV{DEBEMAIL}")
if(NOT maintainer_name OR NOT maintainer_address)
    set(maintainer_name "the libwsfan authors")
    set(maintainer_address libwsfan@packages.invalid)
endif()
set(CPACK_PACKAGE_CONTACT "${maintainer_name} <${maintainer_address}>")

set(CPACK_SOURCE_GENERATOR TGZ)
set(CPACK_SOURCE_PACKAGE_FILE_NAME libwsfan-${PROJECT_VERSION})
set(CPACK_SOURCE_IGNORE_FILES "^${PROJECT_SOURCE_DIR}/build/" "^${PROJECT_SOURCE_DIR}/[.]git(/|$)" /node_modules/)

set(CPACK_GENERATOR DEB)
set(CPACK_DEB_COMPONENT_INSTALL ON)
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_COMPRESSION_TYPE xz)
set(CPACK_DEBIAN_PACKAGE_RELEASE 0upstream1) # one that Debian makes of this version is newer
set(CPACK_DEBIAN_PACKAGE_PRIORITY optional)
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS ON)
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS_PRIVATE_DIRS ${CMAKE_BINARY_DIR} ${CMAKE_BINARY_DIR}/lib/beacon
    ${CMAKE_BINARY_DIR}/lib/nats)
set(CPACK_DEBIAN_PACKAGE_CONTROL_STRICT_PERMISSION ON)
set(CPACK_PRE_BUILD_SCRIPTS ${PROJECT_SOURCE_DIR}/packaging/finish.cmake)

# debian_package(COMPONENT NAME SECTION MULTIARCH SUMMARY TEXT [DEPENDENCY...])
# CMake has a variable for Multi-Arch since 3.31; before, a field may be followed by another one.
function(debian_package component name section multiarch summary text)
    string(TOUPPER ${component} upper)
    list(JOIN ARGN ", " depends)
    set(prefix CPACK_DEBIAN_${upper}_PACKAGE)
    set(${prefix}_NAME ${name} PARENT_SCOPE)
    set(${prefix}_SECTION "${section}\nMulti-Arch: ${multiarch}" PARENT_SCOPE)
    set(${prefix}_DEPENDS "${depends}" PARENT_SCOPE)
    set(CPACK_COMPONENT_${upper}_DESCRIPTION "${summary}\n${about}${text}" PARENT_SCOPE)
    set(CPACK_COMPONENTS_ALL ${CPACK_COMPONENTS_ALL} ${component} PARENT_SCOPE)
endfunction()

# library_package(COMPONENT LIBRARY ...): the same of a shared library, with what others that use it depend on, and
# the trigger of ldconfig. CPack itself writes only scripts for that.
macro(library_package component library summary text)
    set(folder ${CMAKE_BINARY_DIR}/packaging/${component})
    file(WRITE ${folder}/shlibs
        "${library} ${WSFAN_SOVERSION} ${library}${WSFAN_SOVERSION} (>= ${PROJECT_VERSION})\n")
    file(WRITE ${folder}/triggers "activate-noawait ldconfig\n")
    string(TOUPPER ${component} upper)
    set(CPACK_DEBIAN_${upper}_PACKAGE_CONTROL_EXTRA ${folder}/shlibs ${folder}/triggers)
    debian_package(${component} ${library}${WSFAN_SOVERSION} libs same "${summary}" "${text}" ${ARGN})
endmacro()

# pc_packages(VARIABLE NAME...): the Debian packages that these .pc files are of
function(pc_packages variable)
    set(packages "")
    foreach(name ${ARGN})
        execute_process(COMMAND ${PKG_CONFIG_EXECUTABLE} --variable=pcfiledir ${name}
            OUTPUT_VARIABLE folder OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET)
        execute_process(COMMAND dpkg-query --search ${folder}/${name}.pc
            OUTPUT_VARIABLE owner RESULT_VARIABLE status ERROR_QUIET)
        if(status EQUAL 0)
            string(REGEX REPLACE ":.*" "" owner "${owner}")
            list(APPEND packages ${owner})
        endif()
    endforeach()
    set(${variable} ${packages} PARENT_SCOPE)
endfunction()

set(debian_version ${PROJECT_VERSION}-${CPACK_DEBIAN_PACKAGE_RELEASE})
set(exact "(= ${debian_version})")
set(library libwsfan${WSFAN_SOVERSION})
set(about "libwsfan keeps the registry of a WebSocket server's sessions, users and
chats, and relays broadcasts between the replicas of the server over a
ZeroMQ mesh, without a broker.")
set(CPACK_COMPONENTS_ALL "")
library_package(runtime libwsfan "cluster-aware session registry for WebSocket servers" "")
pc_packages(static_needs libzmq msgpack-c msgpack libsodium libcares)
list(REMOVE_DUPLICATES static_needs)
debian_package(development libwsfan-dev libdevel same
    "cluster-aware session registry for WebSocket servers - development" "
.
This package has the headers, the static library, and what pkg-config and
CMake need to find them."
    "${library} ${exact}" ${static_needs} pkgconf)
set(CPACK_DEBIAN_DEVELOPMENT_PACKAGE_SUGGESTS "libwsfan-doc, wsfan-tools")
if(WSFAN_BEACON)
    library_package(beacon libwsfan-beacon "nodes of libwsfan find each other in a local network" "
.
This package has the library by which nodes announce themselves by UDP
broadcast."
        "${library} (>= ${PROJECT_VERSION})")
    pc_packages(beacon_needs libczmq)
    debian_package(beacon-development libwsfan-beacon-dev libdevel same
        "nodes of libwsfan find each other in a local network - development" "
.
This package has the header and the static library for announcements by
UDP broadcast."
        "libwsfan-dev ${exact}" "libwsfan-beacon${WSFAN_SOVERSION} ${exact}" ${beacon_needs})
endif()
if(WSFAN_NATS)
    library_package(nats libwsfan-nats "mesh of libwsfan nodes over NATS" "
.
This package has the library by which nodes meet over servers of NATS."
        "${library} (>= ${PROJECT_VERSION})")
    pc_packages(nats_needs libnats)
    debian_package(nats-development libwsfan-nats-dev libdevel same
        "mesh of libwsfan nodes over NATS - development" "
.
This package has the header and the static library for a mesh over NATS."
        "libwsfan-dev ${exact}" "libwsfan-nats${WSFAN_SOVERSION} ${exact}" ${nats_needs})
endif()
if(WSFAN_BUILD_TOOLS)
    set(tools_needs "${library} (>= ${PROJECT_VERSION})")
    if(TARGET wsfan_tool AND WSFAN_NATS)
        list(APPEND tools_needs "libwsfan-nats${WSFAN_SOVERSION} (>= ${PROJECT_VERSION})")
    endif()
    debian_package(tools wsfan-tools net foreign "programs to look into a mesh of libwsfan nodes" "
.
This package has wsfan, which tells why nodes do not see each other, lists
who is where, publishes, follows chats and closes sessions, and
wsfan-keygen, which makes the key of a mesh."
        ${tools_needs})
endif()
if(TARGET wsfan-entry)
    debian_package(entry wsfan-entry net foreign "door from NATS into a mesh of libwsfan nodes" "
.
This package has wsfan-entry, by which programs in any language that has a
client of NATS send into the chats of a mesh, and hear them."
        "${library} (>= ${PROJECT_VERSION})" "libwsfan-nats${WSFAN_SOVERSION} (>= ${PROJECT_VERSION})")
endif()
if(TARGET echo-chat)
    debian_package(chat wsfan-echo-chat net foreign "chat server whose replicas share their chats" "
.
This package has echo-chat, a chat server with a page for browsers. It is
the example of libwsfan, and good for trying out how a mesh behaves."
        "${library} (>= ${PROJECT_VERSION})")
    set(CPACK_DEBIAN_CHAT_PACKAGE_RECOMMENDS wsfan-tools)
endif()
if(WSFAN_DOCS)
    debian_package(manuals libwsfan-doc doc foreign
        "cluster-aware session registry for WebSocket servers - manuals" "
.
This package has the manuals, the reference as HTML and as manual pages,
and the examples.")
    set(CPACK_DEBIAN_MANUALS_PACKAGE_ARCHITECTURE all)
    set(CPACK_DEBIAN_MANUALS_PACKAGE_SUGGESTS libwsfan-dev)
endif()

# What finish.cmake puts into each of them.
set(CPACK_WSFAN_FOLDER ${PROJECT_SOURCE_DIR}/packaging)
set(CPACK_WSFAN_VERSION ${debian_version})
include(CPack)
