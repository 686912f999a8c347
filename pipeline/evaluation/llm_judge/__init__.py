"""llm_judge"""
