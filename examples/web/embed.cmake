# cmake -DINPUT=page.html -DPARTS=FILES -DOUTPUT=page.c -DHEADER=HEADER.h -P embed.cmake: a file as a C array. Each of
# PARTS, separated by spaces, stands where the page has a line "/* include NAME */".
file(READ ${INPUT} bytes HEX)
separate_arguments(parts UNIX_COMMAND "${PARTS}")
foreach(part ${parts})
    get_filename_component(name ${part} NAME)
    string(HEX "/* include ${name} */\n" place)
    file(READ ${part} text HEX)
    string(REPLACE "${place}" "${text}" whole "${bytes}")
    if(whole STREQUAL bytes)
        message(FATAL_ERROR "${INPUT} has no line /* include ${name} */")
    endif()
    set(bytes "${whole}")
endforeach()
string(LENGTH ${bytes} digits)
math(EXPR size "${digits} / 2")
string(REGEX REPLACE "(................................)" "\\1\n" bytes ${bytes})
string(REGEX REPLACE "([0-9a-f][0-9a-f])" "0x\\1," bytes ${bytes})
file(WRITE ${OUTPUT} "#include \"${HEADER}\"\n\n"
                     "const unsigned char page_html[] = {\n${bytes}\n};\n"
                     "const size_t page_html_size = ${size};\n")
