"""rescore"""
