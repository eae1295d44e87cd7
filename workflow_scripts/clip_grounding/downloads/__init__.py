"""Downloads that arrive: resumed after any interruption, checked, and whole or not there at all.

`files.download` brings one file, `sources.bring_source` a dataset's file with its bookkeeping;
`remote` talks to servers, `answers` says what they meant, `members` reads single members out of a
server's zip.
"""
