export const kind='http'; export const cases=()=>[];
