# What `cmake --install` puts where: the libraries, the header, and the two ways to find them.
include(CMakePackageConfigHelpers)

install(TARGETS ${libraries} EXPORT wsfanTargets)
install(FILES include/wsfan/wsfan.h include/wsfan/outbound.h DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/wsfan)
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
# Who links the static library links what it needs, and with no shared one everybody does.
set(pc_private "")
if(WSFAN_BUILD_SHARED)
    set(pc_private ".private")
endif()
configure_file(pkgconfig/wsfan.pc.in wsfan.pc @ONLY)
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
    configure_file(pkgconfig/wsfan-beacon.pc.in wsfan-beacon.pc @ONLY)
    install(FILES ${CMAKE_CURRENT_BINARY_DIR}/wsfan-beacon.pc DESTINATION ${pc_dir}
        COMPONENT beacon)
    install(EXPORT wsfanBeaconTargets NAMESPACE wsfan:: DESTINATION ${package_dir}
        COMPONENT beacon)
endif()
install(EXPORT wsfanTargets NAMESPACE wsfan:: DESTINATION ${package_dir})
