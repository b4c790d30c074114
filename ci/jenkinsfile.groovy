// Parses a declarative Jenkinsfile without Jenkins. The syntax is checked by Groovy's own parser; the
// structure by the rules below, which are those of the declarative pipeline for what the file uses.
// Whether a plugin has a step of that name only Jenkins can tell.
import org.codehaus.groovy.ast.expr.*
import org.codehaus.groovy.ast.stmt.*
import org.codehaus.groovy.control.*

file = new File(args[0])
problems = []

def problem(node, text) { problems << "${file.name}:${node.lineNumber}: ${text}" }

// The calls that a block consists of; anything else is for a `script` block.
def calls(ClosureExpression block) {
    block.code.statements.collect { statement ->
        def call = statement instanceof ExpressionStatement ? statement.expression : null
        if (call instanceof MethodCallExpression) return call
        if (!(call instanceof BinaryExpression)) problem(statement, 'expected a section or a step')
        null
    }.findAll()
}

def arguments(MethodCallExpression call) {
    call.arguments instanceof TupleExpression ? call.arguments.expressions : []
}

def block(MethodCallExpression call) {
    def last = arguments(call) ? arguments(call).last() : null
    if (last instanceof ClosureExpression) return last
    problem(call, "`${call.methodAsString}` needs a block")
    null
}

def sections(call, allowed, required) {
    def inside = block(call) ? calls(block(call)) : []
    def names = inside*.methodAsString
    inside.each {
        if (!(it.methodAsString in allowed))
            problem(it, "`${it.methodAsString}` does not belong into `${call.methodAsString}`")
    }
    names.countBy { it }.each { name, count ->
        if (count > 1 && name != 'stage') problem(call, "`${name}` stands twice in `${call.methodAsString}`")
    }
    required.each { if (!(it in names)) problem(call, "`${call.methodAsString}` has no `${it}`") }
    inside.groupBy { it.methodAsString }
}

CONDITIONS = ['always', 'changed', 'fixed', 'regression', 'aborted', 'failure', 'success', 'unstable',
              'unsuccessful', 'cleanup']

def checkPost(call) { sections(call, CONDITIONS, []) }

def checkStages(call) {
    def stages = sections(call, ['stage'], ['stage'])['stage'] ?: []
    def names = stages.collect { stage -> checkStage(stage); arguments(stage)[0]?.text }
    if (names.unique(false) != names) problem(call, 'two stages have the same name')
}

def checkStage(stage) {
    if (!(arguments(stage)[0] instanceof ConstantExpression)) problem(stage, 'a stage needs a name')
    def inside = sections(stage, ['agent', 'environment', 'failFast', 'options', 'parallel', 'post', 'stages',
                                  'steps', 'when'], [])
    if (inside.keySet().intersect(['steps', 'parallel', 'stages']).size() != 1)
        problem(stage, 'a stage needs one of `steps`, `parallel` and `stages`')
    ['parallel', 'stages'].each { name -> inside[name]?.each { checkStages(it) } }
    inside['post']?.each { checkPost(it) }
}

source = new CompilationUnit()
source.addSource(file)
try {
    source.compile(Phases.CONVERSION)
} catch (MultipleCompilationErrorsException error) {
    System.err.println(error.message)
    System.exit(1)
}
statements = source.AST.modules[0].statementBlock.statements
pipeline = statements.size() == 1 && statements[0] instanceof ExpressionStatement ? statements[0].expression : null
if (!(pipeline instanceof MethodCallExpression) || pipeline.methodAsString != 'pipeline') {
    System.err.println("${file.name}: expected one `pipeline` block and nothing else")
    System.exit(1)
}
inside = sections(pipeline, ['agent', 'environment', 'libraries', 'options', 'parameters', 'post', 'stages',
                             'tools', 'triggers'], ['agent', 'stages', 'post'])
inside['stages']?.each { checkStages(it) }
inside['post']?.each { checkPost(it) }

if (problems) {
    problems.each { System.err.println(it) }
    System.exit(1)
}
println "${file.name} is a declarative pipeline"
