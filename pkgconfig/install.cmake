# What `cmake --install` puts where: the libraries, the headers, the two ways to find them, the tools.
include(CMakePackageConfigHelpers)

install(TARGETS ${libraries} EXPORT wsfanTargets)
foreach(header wsfan error options peers registry presence requests placement stats diagnosis metrics outbound carrier)
    install(FILES include/wsfan/${header}.h DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/wsfan)
endforeach()
foreach(adapter glib libev libevent libuv libwebsockets poll)
    install(FILES include/wsfan/adapters/${adapter}.h DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/wsfan/adapters)
endforeach()
if(WSFAN_BUILD_TOOLS)
    install(TARGETS wsfan-keygen DESTINATION ${CMAKE_INSTALL_BINDIR})
endif()
if(TARGET wsfan_tool)
    if(NOT IS_ABSOLUTE "${CMAKE_INSTALL_LIBDIR}") # it finds its library wherever both are moved
        set_target_properties(wsfan_tool PROPERTIES
            INSTALL_RPATH "$ORIGIN/../${CMAKE_INSTALL_LIBDIR}")
    endif()
    install(TARGETS wsfan_tool DESTINATION ${CMAKE_INSTALL_BINDIR})
    install(FILES tools/wsfan.1 DESTINATION ${CMAKE_INSTALL_MANDIR}/man1)
    install(FILES tools/completion.bash RENAME wsfan
        DESTINATION ${CMAKE_INSTALL_DATADIR}/bash-completion/completions)
    install(FILES tools/completion.zsh RENAME _wsfan
        DESTINATION ${CMAKE_INSTALL_DATADIR}/zsh/site-functions)
endif()
if(TARGET echo-chat)
    install(FILES examples/echo-chat/echo-chat.1 DESTINATION ${CMAKE_INSTALL_MANDIR}/man1)
endif()
install(FILES LICENSE DESTINATION ${CMAKE_INSTALL_DOCDIR})

# The prefix is found from where the file lies, so that an installed tree can be moved. Directories
# that were given as absolute paths stay where they are.
set(pc_dir ${CMAKE_INSTALL_LIBDIR}/pkgconfig)
file(RELATIVE_PATH pc_prefix ${CMAKE_INSTALL_FULL_LIBDIR}/pkgconfig ${CMAKE_INSTALL_PREFIX})
string(REGEX REPLACE "/$" "" pc_prefix "${pc_prefix}")
foreach(dir LIBDIR INCLUDEDIR)
    set(pc_${dir} "\${prefix}/${CMAKE_INSTALL_${dir}}")
    if(IS_ABSOLUTE "${CMAKE_INSTALL_${dir}}")
        set(pc_${dir} "${CMAKE_INSTALL_${dir}}")
    endif()
endforeach()
# write_pc NAME FLAG...: a .pc file; the flags are for who links the static library, and without a
# shared one that is everybody. They are not Requires.private: what libzmq requires would come along
# for everybody, in Debian with norm.pc, whose libprotokit.a no linker finds, and header folders of
# libraries that no public header includes.
function(write_pc name)
    list(JOIN ARGN " " flags)
    set(pc_libs "")
    set(pc_libs_private "")
    if(WSFAN_BUILD_SHARED)
        set(pc_libs_private "${flags}")
    else()
        set(pc_libs "${flags}")
    endif()
    configure_file(pkgconfig/${name}.pc.in ${name}.pc @ONLY)
endfunction()
pkg_search_module(MSGPACK QUIET msgpack-c msgpack)
if(NOT MSGPACK_FOUND)
    set(MSGPACK_LDFLAGS -l${msgpack_target})
endif()
write_pc(wsfan ${ZMQ_LDFLAGS} ${MSGPACK_LDFLAGS} ${SODIUM_LDFLAGS} ${CARES_LDFLAGS} -pthread)
install(FILES ${CMAKE_CURRENT_BINARY_DIR}/wsfan.pc DESTINATION ${pc_dir})

set(package_dir ${CMAKE_INSTALL_LIBDIR}/cmake/wsfan)
configure_package_config_file(pkgconfig/wsfanConfig.cmake.in wsfanConfig.cmake
    INSTALL_DESTINATION ${package_dir})
write_basic_package_version_file(wsfanConfigVersion.cmake COMPATIBILITY SameMinorVersion)
install(FILES pkgconfig/msgpack.cmake ${CMAKE_CURRENT_BINARY_DIR}/wsfanConfig.cmake
    ${CMAKE_CURRENT_BINARY_DIR}/wsfanConfigVersion.cmake DESTINATION ${package_dir})
if(WSFAN_BEACON)
    install(TARGETS ${beacon_libraries} EXPORT wsfanBeaconTargets COMPONENT beacon)
    install(FILES include/wsfan/beacon.h DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/wsfan
        COMPONENT beacon)
    write_pc(wsfan-beacon ${CZMQ_LDFLAGS} -pthread)
    install(FILES ${CMAKE_CURRENT_BINARY_DIR}/wsfan-beacon.pc DESTINATION ${pc_dir}
        COMPONENT beacon)
    install(EXPORT wsfanBeaconTargets NAMESPACE wsfan:: DESTINATION ${package_dir}
        COMPONENT beacon)
endif()
if(WSFAN_NATS)
    install(TARGETS ${nats_libraries} EXPORT wsfanNatsTargets COMPONENT nats)
    install(FILES include/wsfan/nats.h DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/wsfan COMPONENT nats)
    write_pc(wsfan-nats ${NATS_LDFLAGS} -pthread)
    install(FILES ${CMAKE_CURRENT_BINARY_DIR}/wsfan-nats.pc DESTINATION ${pc_dir} COMPONENT nats)
    install(EXPORT wsfanNatsTargets NAMESPACE wsfan:: DESTINATION ${package_dir} COMPONENT nats)
endif()
install(EXPORT wsfanTargets NAMESPACE wsfan:: DESTINATION ${package_dir})
