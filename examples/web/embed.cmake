# cmake -DINPUT=page.html -DOUTPUT=page.c -DHEADER=HEADER.h -P embed.cmake: a file as a C array.
file(READ ${INPUT} bytes HEX)
string(LENGTH ${bytes} digits)
math(EXPR size "${digits} / 2")
string(REGEX REPLACE "(................................)" "\\1\n" bytes ${bytes})
string(REGEX REPLACE "([0-9a-f][0-9a-f])" "0x\\1," bytes ${bytes})
file(WRITE ${OUTPUT} "#include \"${HEADER}\"\n\n"
                     "const unsigned char page_html[] = {\n${bytes}\n};\n"
                     "const size_t page_html_size = ${size};\n")
