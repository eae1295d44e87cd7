"""Download files: resumed after any interruption, checked, and complete or absent.

`files.download` fetches one file, `sources.bring_source` a dataset's file with its bookkeeping;
`remote` talks to servers, `answers` interprets responses, `members` reads single members out of a
server's zip.
"""
