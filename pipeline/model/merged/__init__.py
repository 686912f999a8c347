"""merged"""
