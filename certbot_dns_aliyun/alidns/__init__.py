"""The Alidns API, version 2015-01-09: one call, its pace, and the records behind it.

https://help.aliyun.com/document_detail/29739.html
"""
