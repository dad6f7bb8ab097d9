// UTF-8 and what only looks like it, in hexadecimal digits (RFC 3629, section 4).

const point = (code) => Buffer.from(String.fromCodePoint(code)).toString('hex');

export const VALID = {
  'Greek, kosme': 'cebae1bdb9cf83cebcceb5',
  'all sizes': '24c2a2e282acf09f9880',
  'NUL within': '610062',
  ...Object.fromEntries([0x7f, 0x80, 0x7ff, 0x800, 0xfff, 0x1000, 0xcfff, 0xd000, 0xd7ff, 0xe000, 0xfdd0, 0xfeff,
    0xfffd,
    0xfffe, 0xffff, 0x10000, 0x1fffe, 0x3ffff, 0x40000, 0xfffff, 0x100000, 0x10ffff]
    .map((code) => [`U+${code.toString(16)}`, point(code)])),
};

export const INVALID = {
  'a continuation byte': '80', 'the last continuation byte': 'bf', 'two continuation bytes': '80bf',
  'c0': 'c0', 'c1': 'c1', 'f5': 'f5', 'f8': 'f8', 'fc': 'fc', 'fe': 'fe', 'ff': 'ff', 'feff': 'feff',
  'overlong slash of 2': 'c0af', 'overlong slash of 3': 'e080af', 'overlong slash of 4': 'f08080af',
  'overlong NUL': 'c080', 'the last overlong of 2': 'c1bf', 'the last overlong of 3': 'e09fbf',
  'the last overlong of 4': 'f08fbfbf', '5 bytes': 'f888808080', '6 bytes': 'fc8480808080',
  'U+d800': 'eda080', 'U+dbff': 'edafbf', 'U+dc00': 'edb080', 'U+dfff': 'edbfbf',
  'a pair of surrogates': 'eda080edb080',
  'U+110000': 'f4908080', 'U+1fffff': 'f7bfbfbf', 'f4 and a byte too large': 'f490',
  '1 of 2 bytes': 'ce', '1 of 3 bytes': 'e1', '2 of 3 bytes': 'e1bd', '1 of 4 bytes': 'f0', '2 of 4 bytes': 'f09f',
  '3 of 4 bytes': 'f09f98', '1 of 2 bytes, then ASCII': 'ce61', '2 of 3 bytes, then ASCII': 'e1bd61',
  '3 of 4 bytes, then ASCII': 'f09f9861', 'a start byte twice': 'cece', '2 of 3 bytes, then a character': 'e1bdceba',
  'a continuation byte too many': 'ceba80', 'Greek and a surrogate': 'cebae1bdb9eda08065',
};
