package audit

// indexSuffix is that of a sealed segment's index.
const indexSuffix = ".idx"
