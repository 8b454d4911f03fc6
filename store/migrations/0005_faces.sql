-- Faces of licences, each for ever: a licence is drawn as it was issued. version is the SHA-256 of body (docs/formats.md).
CREATE TABLE faces (
    version {{.Text}} NOT NULL PRIMARY KEY,
    body    {{.Bytes}} NOT NULL,
    mac     {{.Bytes}} NOT NULL
);
