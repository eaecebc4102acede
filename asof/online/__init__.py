"""The online store: packed values in DynamoDB, a conditional writer and a reader that never guesses.

Importing this package costs nothing. Its modules are standard library only; clients are made by the caller
(``asof.online.client``) and injected.
"""
